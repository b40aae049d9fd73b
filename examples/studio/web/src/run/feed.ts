import type { Client, Event, Large, Message, OutputEntry } from "workflow-client";
import { useEffect, useState, useSyncExternalStore } from "react";

import { LogModel } from "../log/model";
import type { LogFilter } from "../log/filter";
import { client as service, queries } from "../service/client";
import { live } from "../service/heads";
import type { Live } from "../service/live";
import { Timeline } from "./timeline";

export const EVERYTHING: LogFilter = { level: "debug", kind: undefined, at: undefined, attempt: undefined, text: "" };

/** What a page has of a run that it follows. */
export class RunFeed {
  readonly runId: string;
  readonly timeline = new Timeline();
  readonly events: Event[] = [];
  readonly log: LogModel;
  /** Changes with every event that arrives. */
  version = 0;
  failure: unknown;
  readonly #client: Client;
  readonly #live: Live;
  readonly #withOutput: boolean;
  readonly #listeners = new Set<() => void>();
  #unfollow: (() => void) | undefined;
  #isStopped = false;
  /** Takes messages one after the other: one that needs a request keeps the next ones waiting. */
  #taking: Promise<void> = Promise.resolve();

  constructor(client: Client, live: Live, runId: string, withOutput: boolean) {
    this.#client = client;
    this.#live = live;
    this.runId = runId;
    this.#withOutput = withOutput;
    this.log = new LogModel(client, runId, EVERYTHING);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  async start(): Promise<void> {
    let afterOutput: number | undefined;
    if (this.#withOutput) {
      try {
        const newest = await this.#client.call("workflow:runs:logs", { runId: this.runId, limit: 1 });
        afterOutput = newest.entries.at(-1)?.number ?? 0;
      } catch (failure) {
        this.failure = failure;
        this.#changed();
        return;
      }
    }
    if (this.#isStopped) return;
    const take = (messages: Message[]) => {
      this.#taking = this.#taking.then(() => this.#take(messages));
    };
    this.#unfollow = this.#live.follow({ runId: this.runId, after: 0, afterOutput, take });
  }

  stop(): void {
    this.#isStopped = true;
    this.#unfollow?.();
  }

  async #take(messages: Message[]): Promise<void> {
    const output: OutputEntry[] = [];
    const events: Event[] = [];
    const { failure } = this;
    for (const message of messages) {
      if (message.type === "workflow-run:output") output.push(message.entry);
      if (message.type === "workflow-run:error") this.failure = message.error;
      if (message.type !== "workflow-run:event" || message.seq <= this.timeline.seq) continue;
      if (message.seq > this.timeline.seq + 1) await this.#fill(message.seq, events);
      this.#apply(message.event, message.large, events);
    }
    if (events.length > 0) this.log.addEvents(events);
    if (output.length > 0) this.log.addOutput(output);
    if (this.#isStopped) return;
    // Output is shown by the log alone.
    if (events.length > 0 || failure !== this.failure) this.#changed();
    if (events.length > 0) refresh(this.runId);
  }

  /** Reads the events that are missing before a number. */
  async #fill(before: number, events: Event[]): Promise<void> {
    while (this.timeline.seq + 1 < before) {
      const limit = Math.min(before - this.timeline.seq - 1, 1_000);
      const window = await this.#client.call("workflow:runs:events", {
        runId: this.runId,
        after: this.timeline.seq,
        limit,
      });
      if (window.events.length === 0) return;
      for (const event of window.events) this.#apply(event, [], events);
    }
  }

  #apply(event: Event, large: Large[] | undefined, events: Event[]): void {
    this.timeline.apply(event, large);
    this.events.push(event);
    events.push(event);
  }

  #changed(): void {
    this.version += 1;
    for (const listener of this.#listeners) listener();
  }
}

const refreshing = new Map<string, ReturnType<typeof setTimeout>>();

/** Reads the run itself again, a few times a second at most. */
function refresh(runId: string): void {
  if (refreshing.has(runId)) return;
  const timer = setTimeout(() => {
    refreshing.delete(runId);
    void queries.invalidateQueries({ queryKey: ["run", runId] });
  }, 150);
  refreshing.set(runId, timer);
}

/** Follows a run while the component is shown. */
export function useRunFeed(runId: string, withOutput: boolean): RunFeed {
  const [feed, setFeed] = useState(() => new RunFeed(service, live, runId, withOutput));
  useEffect(() => {
    const next = new RunFeed(service, live, runId, withOutput);
    setFeed(next);
    void next.start();
    return () => next.stop();
  }, [runId, withOutput]);
  useSyncExternalStore(feed.subscribe, () => feed.version);
  return feed;
}
