import type { ServiceFailure } from "../src/index.js";
import type { Message, Operations, RunView, Subscribe, Transport } from "../src/index.js";

type Answers = { [O in keyof Operations]?: (request: Operations[O]["request"]) => Operations[O]["response"] };

/** One connection of a stream: its batches, and the failure that it ends with, if it does. */
export interface Connection {
  batches: Message[][];
  failure?: ServiceFailure;
  /** Stays open after its batches. */
  open?: boolean;
}

/** A service that answers as a test says. */
export class FakeTransport implements Transport {
  readonly calls: [string, unknown][] = [];
  readonly subscriptions: Subscribe[] = [];
  isClosed = false;
  protocol = 1;

  constructor(
    readonly answers: Answers = {},
    readonly connections: Connection[] = [],
  ) {}

  async call(operation: string, request: unknown): Promise<unknown> {
    this.calls.push([operation, request]);
    if (operation === "service:hello") return { protocol: this.protocol, version: "0.1.0", scopes: ["read", "run"] };
    const answer = this.answers[operation as keyof Operations] as ((request: unknown) => unknown) | undefined;
    if (answer === undefined) throw new Error(`the fake has no ${operation}`);
    return answer(request);
  }

  async *open(request: Subscribe, signal: AbortSignal): AsyncIterable<Message[]> {
    this.subscriptions.push(structuredClone(request));
    const connection = this.connections.shift();
    yield* connection?.batches ?? [];
    if (connection?.failure) throw connection.failure;
    if (connection === undefined || connection.open) {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

export const event = (seq: number, body: object = { type: "run_started" }, runId = "r1"): Message =>
  ({ type: "workflow-run:event", runId, seq, event: { seq, at: "2999-01-02T03:04:05Z", v: 1, ...body } }) as Message;

export const output = (number: number): Message => ({
  type: "workflow-run:output",
  runId: "r1",
  seq: 1,
  number,
  entry: { number, afterEvent: 1, at: "2999-01-02T03:04:05Z", path: "1/plan[0]/main", attempt: 1, kind: "stdout", text: "line" },
});

export const end = (seq: number, runId = "r1"): Message => ({ type: "workflow-run:end", runId, seq });

const spent = { attempts: 2, costUsd: null, unpriced: 2, tokens: null, uncounted: 2, timeMs: 5 };

/** A run that failed in its second stage. */
export const run: RunView = {
  runId: "r1",
  workflowId: "release",
  status: "failed",
  currentStage: null,
  iteration: 2,
  lastEvent: 9,
  createdAt: "2026-01-02T03:00:00Z",
  startedAt: "2026-01-02T03:00:01Z",
  completedAt: "2026-01-02T03:09:00Z",
  spent,
  error: { class: "permanent", message: "no such model" },
  context: {
    vars: { feature: "search" },
    stages: {
      plan: {
        status: "completed",
        iteration: 2,
        output: "three steps",
        spent,
        startedAt: "2026-01-02T03:00:02Z",
        endedAt: "2026-01-02T03:01:00Z",
        results: [
          {
            provider: "claude-code",
            role: "planner",
            status: "completed",
            attempts: 2,
            output: "three steps",
            error: null,
            duration: 58_000,
            nodes: [
              { id: "draft", status: "completed" },
              { id: "review", status: "skipped" },
            ],
          },
        ],
      },
      code: {
        status: "failed",
        iteration: 2,
        spent,
        startedAt: "2026-01-02T03:01:01Z",
        endedAt: "2026-01-02T03:08:00Z",
        error: { class: "permanent", message: "no such model" },
        results: [
          { provider: "codex", role: null, status: "failed", attempts: 1, output: null, error: { class: "permanent", message: "no such model" }, duration: 9 },
          { provider: "gemini", role: null, status: "cancelled", attempts: 1, output: null, error: null, duration: 9 },
        ],
      },
    },
  },
};
