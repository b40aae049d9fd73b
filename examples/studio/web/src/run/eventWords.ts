import type { Event, LogLevel } from "workflow-client";

import { failureClass, waitStatus } from "../words";

/** The level of an event in the log, as the service has it. */
export function eventLevel(event: Event): LogLevel {
  switch (event.type) {
    case "attempt_failed":
      return (event.data.retryAt ?? null) !== null || event.data.repair === true ? "warn" : "error";
    case "attempt_interrupted":
    case "session_dropped":
    case "answer_refused":
    case "budget_warning":
      return "warn";
    case "node_failed":
    case "lane_failed":
    case "stage_failed":
    case "run_failed":
      return "error";
    default:
      return "info";
  }
}

/** The place of an event: a node, a lane, a stage or an iteration; undefined for one of the whole run. */
export function eventPlace(event: Event): string | undefined {
  if (!("data" in event)) return undefined;
  const data = event.data as { path?: string; iteration?: number; stage?: string | null; lane?: number };
  if (data.path !== undefined) return data.path;
  if (data.iteration === undefined) return undefined;
  const stage = data.stage ? `/${data.stage}` : "";
  return `${data.iteration}${stage}${data.lane === undefined ? "" : `[${data.lane}]`}`;
}

/** The attempt of an event, where it has one. */
export function eventAttempt(event: Event): number | undefined {
  return "data" in event && "attempt" in event.data ? event.data.attempt : undefined;
}

/** What happened, as a line of the log. */
export function eventText(event: Event): string {
  switch (event.type) {
    case "run_created":
      return `run of ${event.data.workflow} created${by(event.data.by)}`;
    case "run_forked":
      return `forked from ${event.data.from} at event ${event.data.event}${by(event.data.by)}`;
    case "run_migrated":
      return `moved to another definition${by(event.data.by)}`;
    case "run_started":
      return "run started";
    case "stage_started":
      return "stage started";
    case "stage_skipped":
      return "stage skipped";
    case "lane_started":
      return `lane started with ${event.data.provider}`;
    case "node_started":
      return Array.isArray(event.data.items) ? `started with ${event.data.items.length} items` : "started";
    case "node_completed":
      return "completed";
    case "node_failed":
      return `failed: ${event.data.error.message}`;
    case "node_skipped":
      return "skipped";
    case "node_queued":
      return `queued for a slot of ${event.data.provider}`;
    case "attempt_started":
      return `attempt ${event.data.attempt} started with ${event.data.provider}`;
    case "child_started":
      return `attempt ${event.data.attempt}: ${event.data.workflow} started as run ${event.data.run}`;
    case "child_ended":
      return `run ${event.data.run} ${event.data.status ?? "is gone"}`;
    case "session_recorded":
      return `session ${event.data.session}`;
    case "session_dropped":
      return `session ${event.data.session} dropped`;
    case "attempt_succeeded":
      return `attempt ${event.data.attempt} succeeded`;
    case "attempt_failed": {
      const { attempt, error, retryAt, parked, repair } = event.data;
      const next = parked
        ? "; waits for the quota"
        : repair
          ? "; the output is corrected"
          : retryAt
            ? "; tried again"
            : "";
      return `attempt ${attempt} failed: ${failureClass(error)}: ${error.message}${next}`;
    }
    case "attempt_cancelled":
      return `attempt ${event.data.attempt} cancelled`;
    case "attempt_interrupted":
      return `attempt ${event.data.attempt} interrupted: the process that drove it has gone`;
    case "lane_completed":
      return "lane completed";
    case "lane_failed":
      return `lane failed: ${event.data.error.message}`;
    case "stage_completed":
      return "stage completed";
    case "stage_failed":
      return `stage failed${event.data.continues ? ", the run continues" : ""}: ${event.data.error.message}`;
    case "iteration_ended": {
      const { iteration, done, next } = event.data;
      return `iteration ${iteration} ended: ${done ? "done" : next ? `next from ${next}` : "not done, and no more"}`;
    }
    case "budget_warning":
      return `budget of ${event.data.limit}: ${event.data.used} of ${event.data.of} used`;
    case "stage_asked":
    case "node_asked":
      return `asks: ${event.data.question}`;
    case "node_waiting":
      return waitsFor(event.data);
    case "signal_received":
      return `signal ${event.data.signal.name} received${by(event.data.by)}`;
    case "answered":
      return `answered${by(event.data.by)}: ${JSON.stringify(event.data.answer)}`;
    case "answer_refused":
      return `answer refused${by(event.data.by)}: ${event.data.reason}`;
    case "run_waiting": {
      const { word, reason } = waitStatus(event.data.wait.reason);
      return `run waits: ${reason ?? word.toLowerCase()}`;
    }
    case "run_continued":
      return "run continued";
    case "pause_requested":
      return `pause requested${by(event.data.by)}`;
    case "run_paused":
      return "run paused";
    case "run_resumed":
      return `run resumed${by(event.data.by)}`;
    case "cancel_requested":
      return `${event.data.atOnce ? "kill" : "cancel"} requested${by(event.data.by)}`;
    case "run_ending":
      return event.data.error
        ? `run will fail after the stages of finally: ${event.data.error.message}`
        : `run will be ${event.data.status} after the stages of finally`;
    case "run_completed":
      return "run completed";
    case "run_failed":
      return `run failed: ${event.data.error.message}`;
    case "run_cancelled":
      return "run cancelled";
  }
}

/** What a node waits for: `waits for the signal deployed until …`. */
export function waitsFor({ until, signal }: { until?: string | null; signal?: string | null }): string {
  return ["waits", signal ? `for the signal ${signal}` : "", until ? `until ${until.replace(/\.\d+/, "")}` : ""]
    .filter(Boolean)
    .join(" ");
}

function by(actor: { id: string; name?: string | null } | null | undefined): string {
  return actor ? ` by ${actor.name ?? actor.id}` : "";
}
