import { ServiceFailure, type Client, type Message, type Subscribe } from "workflow-client";

import { contact } from "./contact";
import { inTurn } from "./turns";

/** How long messages are collected before they are shown together, in milliseconds. */
const BATCH = 50;
/** How long a hidden page keeps its stream, in milliseconds. */
const HIDDEN = 10_000;

/** Where the stream of a run begins, and who takes its messages. */
export interface Follower {
  runId: string;
  after: number;
  /** Undefined: its output is not followed. */
  afterOutput: number | undefined;
  take(messages: Message[]): void;
}

/** The one stream of a page, in turns with other pages where there are many: the heads of all runs, and events and output of the run that is open. */
export class Live {
  readonly #client: Client;
  #followers: Follower[] = [];
  #heads: ((messages: Message[]) => void)[] = [];
  #stop: AbortController | undefined;
  #collected: Message[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isHidden = false;
  /** Whether this is the hidden page that keeps heads. */
  #isKeeper = false;
  #isOffline = false;

  constructor(client: Client) {
    this.#client = client;
  }

  start(): void {
    let hiding: ReturnType<typeof setTimeout> | undefined;
    let shown: AbortController | undefined;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hiding);
      if (document.visibilityState === "hidden") {
        hiding = setTimeout(() => {
          this.#isHidden = true;
          this.#stop?.abort();
          shown = new AbortController();
          void this.#keepHeads(shown.signal);
        }, HIDDEN);
      } else if (this.#isHidden) {
        this.#isHidden = false;
        shown?.abort();
        this.reopen();
      }
    });
    this.reopen();
  }

  /** Of the pages that are hidden, one after the other has a stream of heads: for the count in the title. */
  async #keepHeads(shown: AbortSignal): Promise<void> {
    const locks = (navigator as { locks?: LockManager }).locks;
    const keep = () =>
      new Promise<void>((resolve) => {
        if (shown.aborted) return resolve();
        shown.addEventListener("abort", () => resolve());
        this.#isKeeper = true;
        this.reopen();
      });
    try {
      await locks?.request("workflow-studio-hidden", { signal: shown }, keep);
    } catch (failure) {
      if (!shown.aborted) throw failure;
    } finally {
      this.#isKeeper = false;
    }
  }

  /** Takes the heads of all runs from now on: at first those of all that have not ended and of the newest others. */
  onHeads(take: (messages: Message[]) => void): void {
    this.#heads.push(take);
  }

  /** Follows a run until the returned function is called. */
  follow(follower: Follower): () => void {
    this.#followers.push(follower);
    this.reopen();
    return () => {
      this.#followers = this.#followers.filter((other) => other !== follower);
      this.reopen();
    };
  }

  /** Ends the stream while the server cannot be reached: what is shown then does not change. */
  suspend(isOffline: boolean): void {
    if (this.#isOffline === isOffline) return;
    this.#isOffline = isOffline;
    if (isOffline) this.#stop?.abort();
    else this.reopen();
  }

  /** Opens the stream again, from what was received. */
  reopen(): void {
    this.#stop?.abort();
    this.#flush();
    if ((this.#isHidden && !this.#isKeeper) || this.#isOffline) return;
    const stop = new AbortController();
    this.#stop = stop;
    // Several followers that come and go at once share one stream.
    queueMicrotask(() => void this.#read(stop));
  }

  async #read(stop: AbortController): Promise<void> {
    while (!stop.signal.aborted) {
      let isOver = false;
      await inTurn(stop.signal, async (over) => {
        isOver = await this.#stream(stop, over);
      });
      if (stop.signal.aborted || isOver) return;
    }
  }

  /** Reads the stream until another page needs the connection. Returns whether there is no use in trying again. */
  async #stream(stop: AbortController, over: AbortSignal): Promise<boolean> {
    const signal = AbortSignal.any([stop.signal, over]);
    // What has come is what the next request continues from.
    this.#flush();
    const followers = this.#isHidden ? [] : this.#followers;
    const runs = followers.map(({ runId, after, afterOutput }) => ({
      runId,
      after,
      ...(afterOutput === undefined ? {} : { afterOutput }),
    }));
    const request: Subscribe = { heads: true, runs };
    try {
      for await (const message of this.#client.subscribe(request, { signal })) this.#collect(message);
    } catch (failure) {
      if (signal.aborted) return false;
      const isGone = failure instanceof ServiceFailure && failure.code === "not_found";
      if (isGone) {
        // One of the runs does not exist: its page says so.
        this.#followers = [];
        return false;
      }
      if (failure instanceof ServiceFailure && !failure.isTemporary) return true;
      contact.lost();
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 500));
    return false;
  }

  #collect(message: Message): void {
    this.#collected.push(message);
    // A timer, not a frame: a page that is not painted has to keep up as well.
    this.#timer ??= setTimeout(() => this.#flush(), BATCH);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const messages = this.#collected;
    if (messages.length === 0) return;
    this.#collected = [];
    const heads: Message[] = [];
    const ofRuns = new Map<string, Message[]>();
    for (const message of messages) {
      if (message.type === "workflow-run:head" || message.type === "workflow-run:deleted") heads.push(message);
      else ofRuns.set(message.runId, collect(ofRuns.get(message.runId), message));
    }
    for (const follower of this.#followers) {
      const own = ofRuns.get(follower.runId);
      if (own === undefined) continue;
      for (const message of own) {
        if (message.type === "workflow-run:event") follower.after = message.seq;
        if (message.type === "workflow-run:output") follower.afterOutput = message.number;
      }
      follower.take(own);
    }
    if (heads.length > 0) for (const take of this.#heads) take(heads);
  }
}

function collect(messages: Message[] | undefined, message: Message): Message[] {
  if (messages === undefined) return [message];
  messages.push(message);
  return messages;
}
