import { ServiceFailure } from "./failure.js";
import { sleep } from "./sleep.js";
import { EventReader } from "./sse.js";
import { unwrap, type Transport } from "./transport.js";
import type { Message, Subscribe } from "./types.js";

export interface HttpOptions {
  /** Where the service is, such as `http://127.0.0.1:4170`. */
  url: string;
  /** The bearer token. It is only ever sent as a header. */
  token: string;
  /** After how long without a byte a stream is presumed lost, in milliseconds; the server sends one every 15 s. */
  silence?: number;
  /**
   * How long an operation that the service refuses with 429 is sent again, in milliseconds; 30 s unless set. Such a
   * request was not carried out, so that sending it again does nothing twice.
   */
  patience?: number;
  /** Replaces the global `fetch`. */
  fetch?: typeof globalThis.fetch;
}

/** Reaches the service over HTTP, from Node, a browser or an Electron process. */
export class HttpTransport implements Transport {
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #silence: number;
  readonly #patience: number;
  readonly #fetch: typeof globalThis.fetch;
  readonly #closing = new AbortController();

  constructor(options: HttpOptions) {
    this.#base = `${options.url.replace(/\/+$/, "")}/api/v1`;
    this.#headers = { authorization: `Bearer ${options.token}` };
    this.#silence = options.silence ?? 45_000;
    this.#patience = options.patience ?? 30_000;
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  async call(operation: string, request: unknown, signal?: AbortSignal): Promise<unknown> {
    const stop = AbortSignal.any(signal ? [signal, this.#closing.signal] : [this.#closing.signal]);
    const init = {
      method: "POST",
      headers: { ...this.#headers, "content-type": "application/json" },
      body: JSON.stringify(request ?? {}),
    };
    for (let left = this.#patience; ; ) {
      const response = await this.#send(`/${operation}`, stop, init);
      const pause = 1_000 * Number(response.headers.get("retry-after"));
      if (response.status !== 429 || !(pause > 0 && pause <= left)) return this.#data(response, stop);
      left -= pause;
      await response.body?.cancel();
      await sleep(pause, stop);
    }
  }

  async *open(request: Subscribe, signal: AbortSignal): AsyncIterable<Message[]> {
    const silent = new AbortController();
    const stop = AbortSignal.any([signal, this.#closing.signal, silent.signal]);
    const lost = () =>
      silent.abort(new ServiceFailure("unavailable", `the stream of ${this.#base} was silent for ${this.#silence} ms`));
    let timer = setTimeout(lost, this.#silence);
    try {
      const query = encodeURIComponent(JSON.stringify(request));
      const response = await this.#send(`/stream?subscribe=${query}`, stop, { headers: this.#headers });
      if (!response.ok || response.body === null) {
        await this.#data(response, stop);
        throw new ServiceFailure("internal", `${this.#base}/stream sent no stream`);
      }
      const events = new EventReader();
      const body = response.body.getReader();
      for (;;) {
        const { done, value } = await body.read().catch((cause: unknown) => this.#failed(cause, stop));
        if (done) throw new ServiceFailure("unavailable", `the stream of ${this.#base} was cut off`);
        // The time that the consumer takes does not count.
        clearTimeout(timer);
        for (const { event, data } of events.push(value)) {
          if (event === "end") return;
          if (event === "messages") yield JSON.parse(data) as Message[];
        }
        timer = setTimeout(lost, this.#silence);
      }
    } finally {
      clearTimeout(timer);
      // Closes the connection when the consumer stops early.
      silent.abort();
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new ServiceFailure("cancelled", "the client was closed"));
  }

  async #send(path: string, signal: AbortSignal, init: RequestInit): Promise<Response> {
    signal.throwIfAborted();
    try {
      return await this.#fetch(this.#base + path, { ...init, signal, redirect: "error" });
    } catch (cause) {
      return this.#failed(cause, signal);
    }
  }

  /** The data of a response, whatever its status: the envelope says what failed. */
  async #data(response: Response, signal: AbortSignal): Promise<unknown> {
    const text = await response.text().catch((cause: unknown) => this.#failed(cause, signal));
    let envelope: unknown;
    try {
      envelope = JSON.parse(text);
    } catch {
      throw new ServiceFailure("unavailable", `${this.#base} answered ${response.status} without an envelope`);
    }
    return unwrap(envelope);
  }

  #failed(cause: unknown, signal: AbortSignal): never {
    signal.throwIfAborted();
    const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    const reason = inner instanceof Error ? inner.message : String(inner);
    throw new ServiceFailure("unavailable", `cannot reach ${this.#base}: ${reason}`, { cause });
  }
}
