import type { Message, RunRecord } from "workflow-client";
import { useSyncExternalStore } from "react";

import { client, queries } from "./client";
import { contact } from "./contact";
import { Live } from "./live";

export const live = new Live(client);

const heads = new Map<string, RunRecord>();
const deleted = new Set<string>();
const listeners = new Set<() => void>();
let version = 0;

/** The head of a run, as the stream has sent it last. */
export const headOf = (runId: string): RunRecord | undefined => heads.get(runId);
export const isDeleted = (runId: string): boolean => deleted.has(runId);

export const allHeads = (): Iterable<RunRecord> => heads.values();

/** The newest run that was forked from another one, of those that the stream has sent. */
export function continuedIn(runId: string): RunRecord | undefined {
  let newest: RunRecord | undefined;
  for (const head of heads.values()) {
    if (head.forkedFrom !== runId) continue;
    if (newest === undefined || head.createdAt > newest.createdAt) newest = head;
  }
  return newest;
}

/** Renders again when heads have changed. */
export function useHeads(): number {
  return useSyncExternalStore(subscribe, () => version);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let refresh: ReturnType<typeof setTimeout> | undefined;

function take(messages: Message[]): void {
  let isNews = false;
  for (const message of messages) {
    if (message.type === "workflow-run:head") {
      isNews ||= heads.get(message.run.runId)?.status !== message.run.status || message.run.status === "paused";
      heads.set(message.run.runId, message.run);
      deleted.delete(message.run.runId);
    } else if (message.type === "workflow-run:deleted") {
      isNews = true;
      heads.delete(message.runId);
      deleted.add(message.runId);
    }
  }
  version += 1;
  for (const listener of listeners) listener();
  if (!isNews) return;
  // What the server computes of several runs is read again, at most a few times in a second.
  refresh ??= setTimeout(() => {
    refresh = undefined;
    void queries.invalidateQueries({ queryKey: ["inbox"] });
    void queries.invalidateQueries({ queryKey: ["workflows"] });
  }, 300);
}

/** Connects the page: after a lost connection the stream continues, and everything that is shown is read again. */
export function connect(): void {
  live.onHeads(take);
  live.start();
  let { epoch } = contact.current;
  contact.subscribe(() => {
    const { current } = contact;
    live.suspend(current.state === "offline");
    if (current.epoch === epoch) return;
    ({ epoch } = current);
    void queries.invalidateQueries();
  });
}
