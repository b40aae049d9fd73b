import type {
  Failure,
  OnFailure,
  OutputKind,
  RunRecord,
  RunStatus,
  StageStatus,
  Wait,
  WaitReason,
} from "workflow-client";

import { moment } from "./format";

/** The colour and the icon of a status. */
export type Tone =
  | "running"
  | "completed"
  | "failed"
  | "waiting"
  | "retrying"
  | "quota"
  | "pending"
  | "queued"
  | "paused"
  | "cancelled"
  | "skipped"
  | "unknown";

export interface Shown {
  tone: Tone;
  word: string;
  /** Why, where the word does not say it: `approval`. */
  reason?: string;
}

const RUN: Record<RunStatus, Shown> = {
  pending: { tone: "pending", word: "Pending" },
  running: { tone: "running", word: "Running" },
  paused: { tone: "paused", word: "Paused" },
  completed: { tone: "completed", word: "Completed" },
  failed: { tone: "failed", word: "Failed" },
  cancelled: { tone: "cancelled", word: "Cancelled" },
};

const STAGE: Record<StageStatus, Shown> = {
  pending: { tone: "pending", word: "Pending" },
  queued: { tone: "queued", word: "Queued" },
  running: { tone: "running", word: "Running" },
  retrying: { tone: "retrying", word: "Retrying" },
  waiting: { tone: "waiting", word: "Waiting" },
  completed: { tone: "completed", word: "Completed" },
  failed: { tone: "failed", word: "Failed" },
  skipped: { tone: "skipped", word: "Skipped" },
  cancelled: { tone: "cancelled", word: "Cancelled" },
};

const WAIT: Record<WaitReason, Shown> = {
  pause: { tone: "paused", word: "Paused" },
  approval: { tone: "waiting", word: "Waiting", reason: "approval" },
  question: { tone: "waiting", word: "Waiting", reason: "question" },
  unknown_outcome: { tone: "waiting", word: "Waiting", reason: "unknown outcome" },
  crashes: { tone: "waiting", word: "Waiting", reason: "stopped after crashes" },
  quota: { tone: "quota", word: "Quota" },
  retry: { tone: "retrying", word: "Retrying" },
  timer: { tone: "paused", word: "Waiting", reason: "timer" },
  signal: { tone: "paused", word: "Waiting", reason: "signal" },
  child: { tone: "paused", word: "Waiting", reason: "another run" },
};

/** The status of a run: of one that waits, what it waits for. */
export function runStatus(run: { status: RunStatus; wait?: Wait | null; waits?: Wait[] }): Shown {
  const wait = run.wait ?? run.waits?.[0];
  if ((run.status === "paused" || run.status === "running") && wait) return WAIT[wait.reason];
  return RUN[run.status];
}

export const stageStatus = (status: StageStatus): Shown => STAGE[status];
export const waitStatus = (reason: WaitReason): Shown => WAIT[reason];

/** Until when a run waits for a quota: `until 14:02`, or `until 14:02 (a guess)`. */
export function quotaTime(wait: Wait, now: number): string {
  if (!wait.until) return "no time given";
  return `until ${moment(Date.parse(wait.until), now)}${wait.untilIsGuess ? " (a guess)" : ""}`;
}

/** The same as a sentence, with whose word it is. */
export function quotaWords(wait: Wait, now: number): string {
  if (!wait.until) return "The provider's quota is used up, and it gave no time when it is filled again.";
  const until = moment(Date.parse(wait.until), now);
  return wait.untilIsGuess
    ? `The provider's quota is used up. It did not say until when: the next attempt at ${until} is a guess.`
    : `The provider's quota is used up until ${until}, as the provider says.`;
}

export const isOver = (status: RunStatus): boolean =>
  status === "completed" || status === "failed" || status === "cancelled";

/** Whether the run needs a person. */
export function needsPerson(reason: WaitReason): boolean {
  return reason === "approval" || reason === "question" || reason === "unknown_outcome" || reason === "crashes";
}

/** Whether no process drives a run that should be driven. */
export function isUnclaimed(run: Pick<RunRecord, "status" | "holder">): boolean {
  return run.status === "running" && (run.holder ?? null) === null;
}

const CLASSES: Record<Failure["class"], string> = {
  transient: "Temporary failure",
  rate_limited: "Quota used up",
  invalid_output: "Invalid output",
  permanent: "Permanent failure",
  timeout: "Timed out",
  idle_timeout: "No output for too long",
  cancelled: "Cancelled",
  expression: "Expression failed",
  stage: "Stage failed",
  loop_exhausted: "All iterations used",
  rejected: "Rejected",
  budget: "Budget used up",
  repeated: "Iterations repeat",
  secret_in_output: "Secret in the output",
};

/** The class of a failure in words. */
export const failureClass = (failure: Failure): string => CLASSES[failure.class];

/** What a stage's failure does. */
export function afterFailure(onFailure: OnFailure): string {
  return onFailure === "continue" ? "run continues" : "run fails";
}

/** The kinds of lines in the log. */
export type LineKind = OutputKind | "event";

const KINDS: Record<LineKind, string> = {
  stdout: "out",
  stderr: "err",
  text: "text",
  text_delta: "text",
  thinking: "think",
  tool: "tool",
  log: "log",
  dropped: "drop",
  event: "event",
};

export const lineKind = (kind: LineKind): string => KINDS[kind];
