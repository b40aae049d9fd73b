import type { Client } from "../client.js";
import type { Event, OutputEntry } from "../types.js";
import { present } from "./mapping.js";
import type { RunLogEntry } from "./shapes.js";

/** How many output entries `run:logs` has: the newest ones. */
const MOST_OUTPUT = 5_000;
/** How many events one request returns. */
const PAGE = 5_000;

/** What happened to a run and what its providers wrote, in one order. */
export async function runLogs(client: Client, runId: string): Promise<RunLogEntry[]> {
  const { entries } = await client.call("workflow:runs:logs", { runId, limit: MOST_OUTPUT });
  const events: Event[] = [];
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: { events: Event[]; next?: number | null } = await client.call("workflow:runs:events", { runId, after, limit: PAGE });
    events.push(...page.events);
    after = page.next ?? undefined;
  }
  const lines: RunLogEntry[] = [];
  let output = 0;
  for (const event of events) {
    // An entry follows the last event that was stored before it.
    for (; output < entries.length && entries[output]!.afterEvent < event.seq; output += 1) lines.push(ofOutput(entries[output]!));
    lines.push(ofEvent(event));
  }
  return [...lines, ...entries.slice(output).map(ofOutput)];
}

function ofOutput({ kind, text, at, path }: OutputEntry): RunLogEntry {
  return { type: kind, message: text, timestamp: at, ...place(path) };
}

function ofEvent(event: Event): RunLogEntry {
  const data = ("data" in event ? event.data : {}) as { path?: string; stage?: string | null; iteration?: number; attempt?: number } & {
    error?: { message: string } | null;
    question?: string | null;
  };
  const where = data.path ?? data.stage;
  const what = [event.type.replaceAll("_", " "), ...(where ? [where] : []), ...(data.attempt ? [`#${data.attempt}`] : [])].join(" ");
  const more = data.error?.message ?? data.question;
  return {
    type: event.type,
    message: more ? `${what}: ${more}` : what,
    timestamp: event.at,
    ...(data.path === undefined ? present({ stage: data.stage }) : place(data.path)),
  };
}

/** The stage and the node in a path such as `2/plan[0]/review[3]` or `2/plan[0]/fix[1]/check`. */
function place(path: string): { stage?: string; nodeId?: string } {
  const [, stage, nodeId] = /^\d+\/([^/[]+)(?:\[\d+\])?(?:\/(?:[^/[]+\[\d+\]\/)?([^/[]+))?/.exec(path) ?? [];
  return present({ stage, nodeId });
}
