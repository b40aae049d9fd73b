import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

import { ServiceFailure } from "./failure.js";
import { LineReader } from "./lines.js";
import { unwrap, type Transport } from "./transport.js";
import type { Message, Subscribe } from "./types.js";

/** A program to start, or one that was started with pipes for its standard input and output. */
export type StdioOptions = { command: string; args?: string[]; cwd?: string } | { child: ChildProcess };

/** How many batches wait for a slow consumer before its subscription is ended; it is opened again from its numbers. */
const MOST_WAITING = 64;

interface Subscription {
  batches: Message[][];
  end: { over: true } | { failure: unknown } | undefined;
  wake: () => void;
}

/** A line that the service writes. */
interface Line {
  id?: number | null;
  subscription?: number;
  messages?: Message[];
  error?: { message: string };
}

/** Reaches the service through the standard input and output of a child process: `workflow serve --stdio`. */
export class StdioTransport implements Transport {
  readonly #start: () => ChildProcess;
  #child: ChildProcess | undefined;
  #isClosed = false;
  #lastId = 0;
  readonly #answers = new Map<number, { resolve: (line: Line) => void; reject: (reason: unknown) => void }>();
  readonly #subscriptions = new Map<number, Subscription>();

  constructor(options: StdioOptions) {
    if ("child" in options) {
      let given: ChildProcess | undefined = options.child;
      this.#start = () => {
        const child = given;
        given = undefined;
        // A process that the caller started is not started again.
        if (child === undefined) throw new ServiceFailure("cancelled", "the service's process has ended");
        return child;
      };
    } else {
      const { command, args = [], cwd } = options;
      this.#start = () => spawn(command, args, { cwd, stdio: ["pipe", "pipe", "inherit"], windowsHide: true });
    }
  }

  async call(operation: string, request: unknown, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    const { id, answer } = this.#send(operation, request);
    const cancel = () => {
      this.#write({ cancel: id });
      this.#answers.get(id)?.reject(signal?.reason);
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return unwrap(await answer);
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#answers.delete(id);
    }
  }

  async *open(request: Subscribe, signal: AbortSignal): AsyncIterable<Message[]> {
    signal.throwIfAborted();
    const subscription: Subscription = { batches: [], end: undefined, wake: () => {} };
    const { id, answer } = this.#send("workflow:runs:subscribe", request);
    // Its first messages may arrive in one piece with the answer.
    this.#subscriptions.set(id, subscription);
    const stop = () => {
      subscription.end = { failure: signal.reason };
      subscription.batches = [];
      subscription.wake();
      this.#answers.get(id)?.reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      unwrap(await answer);
      for (;;) {
        const batch = subscription.batches.shift();
        if (batch !== undefined) {
          yield batch;
        } else if (subscription.end === undefined) {
          await new Promise<void>((resolve) => (subscription.wake = resolve));
        } else if ("failure" in subscription.end) {
          throw subscription.end.failure;
        } else {
          return;
        }
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#answers.delete(id);
      this.#unsubscribe(id);
    }
  }

  /** Ends the process: it completes the requests that are under way, and exits when its input ends. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.stdin?.end();
    const killed = setTimeout(() => child.kill(), 10_000);
    await exited;
    clearTimeout(killed);
  }

  #send(operation: string, request: unknown): { id: number; answer: Promise<Line> } {
    const id = ++this.#lastId;
    this.#connect();
    const answer = new Promise<Line>((resolve, reject) => this.#answers.set(id, { resolve, reject }));
    this.#write({ id, operation, request: request ?? {} });
    return { id, answer };
  }

  #unsubscribe(id: number): void {
    if (!this.#subscriptions.delete(id) || this.#child === undefined) return;
    this.#write({ id: ++this.#lastId, operation: "workflow:runs:unsubscribe", request: { subscription: id } });
  }

  #write(line: object): void {
    this.#child?.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  #connect(): void {
    if (this.#isClosed) throw new ServiceFailure("cancelled", "the client was closed");
    if (this.#child !== undefined) return;
    const child = this.#start();
    this.#child = child;
    const lines = new LineReader();
    child.stdout?.on("data", (piece: Buffer) => {
      for (const line of lines.push(piece)) {
        // A process that was given up may still write, while another one serves.
        if (this.#child === child && line.trim() !== "") this.#line(line);
      }
    });
    const lost = (why: string) => {
      if (this.#child === child) this.#lost(new ServiceFailure("unavailable", why));
    };
    child.on("error", (error) => lost(`the service's process could not be started: ${error.message}`));
    child.on("close", (code, signal) => lost(`the service's process has ended (${signal ?? `exit code ${code}`})`));
    // The end of the process says more than the failure of the write that found it.
    child.stdin?.on("error", () => {});
  }

  #lost(failure: ServiceFailure): void {
    this.#child = undefined;
    for (const { reject } of this.#answers.values()) reject(failure);
    this.#answers.clear();
    for (const subscription of this.#subscriptions.values()) {
      subscription.end ??= { failure };
      subscription.wake();
    }
    this.#subscriptions.clear();
  }

  #line(text: string): void {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch {
      this.#child?.kill();
      const start = text.slice(0, 200);
      return this.#lost(new ServiceFailure("internal", `the service's process wrote a line that is not JSON: ${start}`));
    }
    if (line.subscription === undefined) {
      if (typeof line.id === "number") this.#answers.get(line.id)?.resolve(line);
      return;
    }
    const subscription = this.#subscriptions.get(line.subscription);
    if (subscription === undefined) return;
    if (line.messages === undefined) {
      subscription.end ??= { over: true };
      this.#subscriptions.delete(line.subscription);
    } else {
      subscription.batches.push(line.messages);
      if (subscription.batches.length >= MOST_WAITING) {
        subscription.end = { failure: new ServiceFailure("unavailable", "the consumer of the subscription is slow") };
        this.#unsubscribe(line.subscription);
      }
    }
    subscription.wake();
  }
}
