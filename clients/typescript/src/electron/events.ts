import type { Client } from "../client.js";
import type { WebContentsLike } from "./ipc.js";
import { runEvent } from "./mapping.js";
import type { RunEvent } from "./shapes.js";

/** The channels on which windows get the events of runs: the app's, and the one that its first version named. */
export const EVENT_CHANNELS = ["run:event", "workflow-run:event"] as const;

/** Sends the events of all runs to the windows that listen, from the moment at which the first of them does. */
export class RunEvents {
  readonly #client: Client;
  readonly #onFailure: (failure: unknown) => void;
  readonly #windows = new Set<WebContentsLike>();
  /** The windows whose end is known here; one may come back. */
  readonly #watched = new WeakSet<WebContentsLike>();
  readonly #followed = new Set<string>();
  #stop: AbortController | undefined;
  #since = 0;

  constructor(client: Client, onFailure: (failure: unknown) => void) {
    this.#client = client;
    this.#onFailure = onFailure;
  }

  add(window: WebContentsLike): void {
    if (this.#windows.has(window)) return;
    this.#windows.add(window);
    if (!this.#watched.has(window)) {
      this.#watched.add(window);
      window.once("destroyed", () => this.remove(window));
    }
    if (this.#stop === undefined) {
      this.#stop = new AbortController();
      this.#since = Date.now();
      const { signal } = this.#stop;
      this.#background(this.#heads(signal), signal, () => this.stop());
    }
  }

  remove(window: WebContentsLike): void {
    this.#windows.delete(window);
    if (this.#windows.size === 0) this.stop();
  }

  stop(): void {
    this.#stop?.abort();
    this.#stop = undefined;
    this.#windows.clear();
    this.#followed.clear();
  }

  /** Finds the runs to follow: those that have not ended, and those that are created from now on. */
  async #heads(signal: AbortSignal): Promise<void> {
    for await (const message of this.#client.subscribe({ heads: true }, { signal })) {
      if (message.type !== "workflow-run:head") continue;
      const { runId, status, createdAt } = message.run;
      const isOver = ["completed", "failed", "cancelled"].includes(status);
      if (this.#followed.has(runId) || (isOver && Date.parse(createdAt) < this.#since)) continue;
      this.#followed.add(runId);
      this.#background(this.#run(runId, signal), signal, () => this.#followed.delete(runId));
    }
  }

  async #run(runId: string, signal: AbortSignal): Promise<void> {
    for await (const message of this.#client.subscribe({ runs: [{ runId }] }, { signal })) {
      // What happened before a window listened is not news; it is in the run's status.
      if (message.type !== "workflow-run:event" || Date.parse(message.event.at) < this.#since) continue;
      const event = runEvent(runId, message.event);
      if (event !== undefined) this.#send(event);
    }
  }

  #send(event: RunEvent): void {
    for (const window of this.#windows) {
      if (window.isDestroyed()) continue;
      for (const channel of EVENT_CHANNELS) window.send(channel, event);
    }
  }

  /** Waits for work. After a failure `giveUp` makes sure that it can be begun again. */
  #background(work: Promise<void>, signal: AbortSignal, giveUp: () => void): void {
    work.catch((failure: unknown) => {
      if (signal.aborted) return;
      giveUp();
      this.#onFailure(failure);
    });
  }
}
