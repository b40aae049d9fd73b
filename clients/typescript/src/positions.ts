import type { FollowRun, Message, Subscribe } from "./types.js";

/** What a consumer has of a subscription: from it the subscription is opened again. */
export class Positions {
  readonly #heads: boolean;
  /** The runs that are not over. */
  readonly #runs: Map<string, FollowRun>;

  constructor(request: Subscribe) {
    this.#heads = request.heads ?? false;
    this.#runs = new Map((request.runs ?? []).map((run) => [run.runId, { ...run }]));
  }

  /** Whether everything was received. */
  get isOver(): boolean {
    return !this.#heads && this.#runs.size === 0;
  }

  /** What is to be followed from here on. */
  request(): Subscribe {
    return { runs: [...this.#runs.values()].map((run) => ({ ...run })), heads: this.#heads };
  }

  /** Whether the message was not received before; notes that it is now. */
  isNew(message: Message): boolean {
    if (message.type === "workflow-run:head" || message.type === "workflow-run:deleted") return true;
    const run = this.#runs.get(message.runId);
    if (run === undefined) return false;
    switch (message.type) {
      case "workflow-run:event":
        if (message.seq <= (run.after ?? 0)) return false;
        run.after = message.seq;
        return true;
      case "workflow-run:output":
        if (message.number <= (run.afterOutput ?? 0)) return false;
        run.afterOutput = message.number;
        return true;
      default:
        // It has ended, or cannot be followed any more.
        return this.#runs.delete(message.runId);
    }
  }
}
