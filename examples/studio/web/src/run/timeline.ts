import type { ChildEnded, Event, Failure, Large, RunStatus, StageStatus, Usage, WaitReason } from "workflow-client";

import { parentPlace, parsePlace } from "../address";
import { waitsFor } from "./eventWords";

/** One try of a node. */
export interface Attempt {
  number: number;
  provider: string;
  role: string | undefined;
  from: number;
  to: number | undefined;
  outcome: "running" | "succeeded" | "failed" | "cancelled" | "interrupted";
  error: Failure | undefined;
  usage: Usage | undefined;
  session: string | undefined;
  /** When the node is tried again. */
  retryAt: number | undefined;
  /** It waits for a quota, or corrects an output: no retry is spent. */
  parked: boolean;
  repair: boolean;
  /** The event with its outcome: its output is read by this number. */
  event: number | undefined;
}

/** A time in which something was waited for. */
export interface Pause {
  reason: WaitReason | "queue";
  from: number;
  to: number | undefined;
  /** The number of the event that asked. */
  wait: number | undefined;
  text: string | undefined;
}

export type ItemKind = "iteration" | "stage" | "lane" | "node" | "item";

/** A row of the timeline: an iteration, a stage, a lane, a node or an item of one. */
export interface Item {
  /** As the engine names it: `2/test[1]/review[3]`. */
  place: string;
  kind: ItemKind;
  name: string;
  status: StageStatus;
  from: number | undefined;
  to: number | undefined;
  provider: string | undefined;
  role: string | undefined;
  /** The run that the node has started last. */
  run: string | undefined;
  /** What the runs that the node has started used, each once it has ended. */
  used: ChildEnded["spent"][];
  error: Failure | undefined;
  attempts: Attempt[];
  pauses: Pause[];
  children: Item[];
  /** Of a `foreach` node: how many items there are. */
  total: number | undefined;
  /** The event with its output. */
  event: number | undefined;
  /** Whether it is a stage of `finally`, which runs however the others end. */
  isLast: boolean;
  /** Of an iteration that ended: whether the loop was done, and the stage that the next one begins with. */
  ended: { done: boolean; next: string | undefined } | undefined;
}

/** What the events of a run say about its course. The status and the waits of the run itself are the server's. */
export class Timeline {
  readonly iterations: Item[] = [];
  /** Times in which the whole run waited. */
  readonly pauses: Pause[] = [];
  createdAt: number | undefined;
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** How the run ends after its stages of `finally`, once these can begin. */
  ending: RunStatus | undefined;
  /** The number of the last event. */
  seq = 0;
  /** The time of the last event. */
  last: number | undefined;
  readonly #items = new Map<string, Item>();

  static of(events: Iterable<Event>): Timeline {
    const timeline = new Timeline();
    for (const event of events) timeline.apply(event);
    return timeline;
  }

  get(place: string): Item | undefined {
    return this.#items.get(place);
  }

  apply(event: Event, large: Large[] = []): void {
    const at = Date.parse(event.at);
    this.seq = event.seq;
    this.last = at;
    switch (event.type) {
      case "run_created":
        this.createdAt = at;
        break;
      case "run_started":
        this.startedAt = at;
        break;
      case "stage_started":
        this.#begin(stagePlace(event.data), at, "running").isLast = this.ending !== undefined;
        break;
      case "stage_skipped":
        this.#end(this.#begin(stagePlace(event.data), at, "skipped"), at, "skipped").isLast = this.ending !== undefined;
        break;
      case "lane_started": {
        const lane = this.#begin(lanePlace(event.data), at, "running");
        lane.provider = event.data.provider;
        lane.role = event.data.role ?? undefined;
        break;
      }
      case "node_started": {
        const node = this.#begin(event.data.path, at, "running");
        const isLarge = large.some((value) => value.member === "items");
        // An iteration of a loop ends when the next one begins.
        const isIteration = !isLarge && event.data.items === null;
        if (isIteration) this.#endIterations(parentPlace(event.data.path), at, "completed", node);
        if (!isLarge && Array.isArray(event.data.items)) node.total = event.data.items.length;
        break;
      }
      case "node_queued": {
        const node = this.#item(event.data.path);
        node.status = "queued";
        node.from ??= at;
        node.provider = event.data.provider;
        node.pauses.push({ reason: "queue", from: at, to: undefined, wait: undefined, text: event.data.provider });
        break;
      }
      case "node_waiting": {
        const node = this.#item(event.data.path);
        node.status = "waiting";
        node.from ??= at;
        const reason = event.data.signal ? "signal" : "timer";
        node.pauses.push({ reason, from: at, to: undefined, wait: undefined, text: waitsFor(event.data) });
        break;
      }
      case "node_completed":
        this.#endIterations(event.data.path, at, "completed");
        this.#end(this.#item(event.data.path), at, "completed", event.seq);
        break;
      case "node_failed":
        this.#endIterations(event.data.path, at, "failed");
        this.#end(this.#item(event.data.path), at, "failed", event.seq).error = event.data.error;
        break;
      case "node_skipped":
        this.#end(this.#begin(event.data.path, at, "skipped"), at, "skipped");
        break;
      case "attempt_started": {
        const { path, attempt: number, provider, role } = event.data;
        const node = this.#begin(path, at, "running");
        close(node.pauses, at);
        node.provider = provider;
        node.role = role ?? undefined;
        node.attempts.push({
          number,
          provider,
          role: role ?? undefined,
          from: at,
          to: undefined,
          outcome: "running",
          error: undefined,
          usage: undefined,
          session: undefined,
          retryAt: undefined,
          parked: false,
          repair: false,
          event: undefined,
        });
        break;
      }
      case "child_started": {
        const node = this.#begin(event.data.path, at, "running");
        close(node.pauses, at);
        node.run = event.data.run;
        break;
      }
      case "child_ended":
        this.#item(event.data.path).used.push(event.data.spent);
        break;
      case "session_recorded": {
        const attempt = this.#attempt(event.data);
        if (attempt) attempt.session = event.data.session;
        break;
      }
      case "attempt_succeeded": {
        this.#conclude(event.data, event.seq, at, "succeeded");
        this.#end(this.#item(event.data.path), at, "completed", event.seq);
        break;
      }
      case "attempt_failed": {
        const { path, error, parked = false, repair = false } = event.data;
        const retryAt = time(event.data.retryAt);
        const attempt = this.#conclude(event.data, event.seq, at, "failed");
        if (attempt) Object.assign(attempt, { error, retryAt, parked, repair });
        const node = this.#item(path);
        node.error = error;
        if (retryAt !== undefined || parked || repair) {
          node.status = "retrying";
          const reason = parked ? "quota" : "retry";
          if (!repair) node.pauses.push({ reason, from: at, to: undefined, wait: undefined, text: error.message });
        } else {
          this.#end(node, at, "failed", event.seq);
        }
        break;
      }
      case "attempt_cancelled":
        this.#conclude(event.data, event.seq, at, "cancelled");
        this.#end(this.#item(event.data.path), at, "cancelled");
        break;
      case "attempt_interrupted": {
        const attempt = this.#conclude(event.data, event.seq, at, "interrupted");
        const retryAt = time(event.data.retryAt);
        if (attempt) attempt.retryAt = retryAt;
        this.#item(event.data.path).status = "retrying";
        break;
      }
      case "lane_completed":
        this.#end(this.#item(lanePlace(event.data)), at, "completed", event.seq);
        break;
      case "lane_failed":
        this.#end(this.#item(lanePlace(event.data)), at, "failed", event.seq).error = event.data.error;
        break;
      case "stage_completed":
        this.#endStage(this.#item(stagePlace(event.data)), at, "completed", event.seq);
        break;
      case "stage_failed":
        this.#endStage(this.#item(stagePlace(event.data)), at, "failed", event.seq).error = event.data.error;
        break;
      case "iteration_ended": {
        const iteration = this.#item(String(event.data.iteration));
        this.#end(iteration, at, "completed", event.seq);
        iteration.ended = { done: event.data.done, next: event.data.next ?? undefined };
        break;
      }
      case "stage_asked":
        this.#ask(stagePlace(event.data), event, "approval", at);
        break;
      case "node_asked":
        this.#ask(event.data.path, event, event.data.reason, at);
        break;
      case "answered":
        for (const item of this.#items.values()) {
          const pause = item.pauses.find((pause) => pause.wait === event.data.wait && pause.to === undefined);
          if (pause === undefined) continue;
          pause.to = at;
          item.status = item.attempts.at(-1)?.outcome === "running" ? "running" : "pending";
        }
        break;
      case "run_waiting":
        close(this.pauses, at);
        this.pauses.push({
          reason: event.data.wait.reason,
          from: at,
          to: undefined,
          wait: event.data.wait.number ?? undefined,
          text: event.data.wait.question ?? undefined,
        });
        break;
      case "run_paused":
        close(this.pauses, at);
        this.pauses.push({ reason: "pause", from: at, to: undefined, wait: undefined, text: undefined });
        break;
      case "run_continued":
      case "run_resumed":
        close(this.pauses, at);
        break;
      case "run_ending":
        this.ending = event.data.status;
        this.#stop(at);
        break;
      case "run_completed":
        this.#over(at, "completed");
        break;
      case "run_failed":
        this.#over(at, "failed");
        break;
      case "run_cancelled":
        this.#over(at, "cancelled");
        break;
    }
  }

  #ask(place: string, event: Event & { data: { question: string } }, reason: WaitReason, at: number): void {
    const item = this.#item(place);
    item.from ??= at;
    item.status = "waiting";
    item.pauses.push({ reason, from: at, to: undefined, wait: event.seq, text: event.data.question });
  }

  #attempt({ path, attempt }: { path: string; attempt: number }): Attempt | undefined {
    return this.#items.get(path)?.attempts.find((known) => known.number === attempt);
  }

  #conclude(
    data: { path: string; attempt: number; usage?: Usage | null; ranUntil?: string },
    seq: number,
    at: number,
    outcome: Attempt["outcome"],
  ): Attempt | undefined {
    const attempt = this.#attempt(data);
    if (attempt === undefined) return undefined;
    attempt.to = time(data.ranUntil) ?? at;
    attempt.outcome = outcome;
    attempt.usage = data.usage ?? undefined;
    attempt.event = seq;
    return attempt;
  }

  #begin(place: string, at: number, status: StageStatus): Item {
    const item = this.#item(place);
    item.from ??= at;
    item.status = status;
    item.to = undefined;
    for (let parent = parentPlace(place); parent !== undefined; parent = parentPlace(parent)) {
      const outer = this.#item(parent);
      outer.from ??= at;
      if (outer.status === "pending" || outer.status === "retrying") outer.status = "running";
    }
    return item;
  }

  #end(item: Item, at: number, status: StageStatus, event?: number): Item {
    item.from ??= at;
    item.to = at;
    item.status = status;
    item.event = event ?? item.event;
    if (status === "completed") item.error = undefined;
    close(item.pauses, at);
    return item;
  }

  /** Ends the iterations of a loop, which have no event of their own, other than one. */
  #endIterations(loop: string | undefined, at: number, status: StageStatus, except?: Item): void {
    if (loop === undefined) return;
    const isOpen = (item: Item) => item !== except && item.kind === "item" && item.to === undefined;
    for (const item of this.#item(loop).children.filter(isOpen)) {
      if (item.attempts.length === 0 && item.children.length > 0) this.#end(item, at, status);
    }
  }

  /** Ends a stage with its lanes: one that is the only one of its stage has no events of its own. */
  #endStage(stage: Item, at: number, status: StageStatus, event: number): Item {
    for (const lane of stage.children.filter((lane) => lane.to === undefined)) {
      const of = (status: StageStatus) => lane.children.filter((node) => node.status === status).length;
      const isStopped = of("cancelled") > 0 && of("cancelled") + of("completed") === lane.children.length;
      this.#end(lane, at, of("failed") > 0 ? "failed" : isStopped ? "cancelled" : status);
    }
    return this.#end(stage, at, status, event);
  }

  /** The run has ended: nothing of it is under way. */
  #over(at: number, status: RunStatus & StageStatus): void {
    this.endedAt = at;
    this.#stop(at);
    for (const iteration of this.iterations) if (iteration.to === undefined) this.#end(iteration, at, status);
  }

  /** No stage is under way any more. */
  #stop(at: number): void {
    close(this.pauses, at);
    for (const item of this.#items.values()) {
      if (item.to !== undefined || item.kind === "iteration") continue;
      this.#end(item, at, item.from === undefined ? "skipped" : "cancelled");
    }
  }

  /** The item of a place, with all that it is a part of. */
  #item(place: string): Item {
    const known = this.#items.get(place);
    if (known) return known;
    const item: Item = {
      place,
      ...named(place),
      status: "pending",
      from: undefined,
      to: undefined,
      provider: undefined,
      role: undefined,
      run: undefined,
      used: [],
      error: undefined,
      attempts: [],
      pauses: [],
      children: [],
      total: undefined,
      event: undefined,
      isLast: false,
      ended: undefined,
    };
    this.#items.set(place, item);
    const parent = parentPlace(place);
    const siblings = parent === undefined ? this.iterations : this.#item(parent).children;
    siblings.push(item);
    return item;
  }
}

function named(place: string): { kind: ItemKind; name: string } {
  const parsed = parsePlace(place);
  if (parsed?.items.length) return { kind: "item", name: `[${parsed.items.at(-1) ?? ""}]` };
  if (parsed?.node !== undefined) return { kind: "node", name: parsed.node };
  if (parsed?.lane !== undefined) return { kind: "lane", name: `lane ${parsed.lane + 1}` };
  if (parsed?.stage !== undefined) return { kind: "stage", name: parsed.stage };
  return { kind: "iteration", name: `Iteration ${place}` };
}

const stagePlace = ({ iteration, stage }: { iteration: number; stage: string }): string => `${iteration}/${stage}`;
const lanePlace = (data: { iteration: number; stage: string; lane: number }): string =>
  `${stagePlace(data)}[${data.lane}]`;

function close(pauses: Pause[], at: number): void {
  for (const pause of pauses) pause.to ??= at;
}

const time = (text: string | null | undefined): number | undefined => (text ? Date.parse(text) : undefined);
