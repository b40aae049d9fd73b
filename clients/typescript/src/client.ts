import { ServiceFailure } from "./failure.js";
import { Positions } from "./positions.js";
import { sleep } from "./sleep.js";
import type { Transport } from "./transport.js";
import type { Message, Operations, Protocol, RunWorkflow, Started, Subscribe, Welcome } from "./types.js";

/** The version of the protocol that this client speaks. */
export const PROTOCOL: Protocol = 1;

/** The name of an operation. */
export type Operation = keyof Operations;
/** What an operation is given. */
export type RequestOf<O extends Operation> = Operations[O]["request"];
/** What an operation returns. */
export type ResponseOf<O extends Operation> = Operations[O]["response"];

export interface CallOptions {
  /** Cancels the request: the call then throws the signal's reason. What the operation has changed stays. */
  signal?: AbortSignal;
}

/** An empty request may be left out. */
type Arguments<O extends Operation> = object extends RequestOf<O>
  ? [request?: RequestOf<O>, options?: CallOptions]
  : [request: RequestOf<O>, options?: CallOptions];

export interface ClientOptions {
  /** The name and version of the program, for the service's log. */
  name?: string;
  /** The pauses before a lost stream is opened again: the first, doubled each time up to the longest; milliseconds. */
  pause?: { first: number; longest: number };
}

/**
 * A client of the workflow service.
 *
 * ```ts
 * const client = new Client(new HttpTransport({ url: "http://127.0.0.1:4170", token }));
 * const { workflows } = await client.call("workflow:list");
 * ```
 */
export class Client {
  readonly #transport: Transport;
  readonly #name: string;
  readonly #pause: { first: number; longest: number };
  #welcome: Promise<Welcome> | undefined;

  constructor(transport: Transport, options: ClientOptions = {}) {
    this.#transport = transport;
    this.#name = options.name ?? "workflow-client 0.1.0";
    this.#pause = options.pause ?? { first: 100, longest: 5_000 };
  }

  /**
   * Compares the versions of client and service, and returns what this client may do. Every other call does so first.
   * Throws a {@link ServiceFailure} with the code `version_mismatch` that says what to update.
   */
  hello(): Promise<Welcome> {
    this.#welcome ??= this.#hello().catch((failure: unknown) => {
      this.#welcome = undefined;
      throw failure;
    });
    return this.#welcome;
  }

  /** Carries out an operation. Throws a {@link ServiceFailure} when the service refuses it or cannot be reached. */
  async call<O extends Operation>(operation: O, ...[request, options]: Arguments<O>): Promise<ResponseOf<O>> {
    if (operation !== "service:hello") await this.hello();
    return (await this.#transport.call(operation, request ?? {}, options?.signal)) as ResponseOf<O>;
  }

  /** Starts a run of a workflow, and returns its id at once: `workflow:run` without the choice of a dry run. */
  async start(request: Omit<RunWorkflow, "dryRun">, options: CallOptions = {}): Promise<Started> {
    const outcome = await this.call("workflow:run", request, options);
    if (!("runId" in outcome)) throw new ServiceFailure("internal", "the service did not start the run");
    return outcome;
  }

  /**
   * Follows runs: events and output of some, the heads of all. A lost connection is opened again with the numbers of
   * what was received, so that no event or output entry is missed or delivered twice; heads are sent again in full then.
   * It ends when all runs have ended, unless it follows the heads, and when the consumer leaves its loop.
   *
   * ```ts
   * for await (const message of client.subscribe({ runs: [{ runId }] })) {
   *   if (message.type === "workflow-run:event") console.log(message.event.type);
   * }
   * ```
   */
  async *subscribe(request: Subscribe, options: CallOptions = {}): AsyncGenerator<Message, void, undefined> {
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const positions = new Positions(request);
    let pause = this.#pause.first;
    try {
      // A service that cannot be reached at first is an error; one that was reached is called again.
      await this.hello();
      while (!positions.isOver) {
        try {
          await this.hello();
          for await (const batch of this.#transport.open(positions.request(), signal)) {
            pause = this.#pause.first;
            for (const message of batch) {
              if (positions.isNew(message)) yield message;
            }
          }
          return;
        } catch (failure) {
          signal.throwIfAborted();
          if (!(failure instanceof ServiceFailure && failure.isTemporary)) throw failure;
          // Another version may serve then.
          this.#welcome = undefined;
        }
        await sleep(pause, signal);
        pause = Math.min(pause * 2, this.#pause.longest);
      }
    } finally {
      stop.abort();
    }
  }

  /** Ends the connection; a child process exits. Subscriptions end with a failure. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  async #hello(): Promise<Welcome> {
    const welcome = (await this.#transport.call("service:hello", {
      protocol: PROTOCOL,
      client: this.#name,
    })) as Welcome;
    if (welcome.protocol !== PROTOCOL) {
      throw new ServiceFailure(
        "version_mismatch",
        `this client speaks version ${PROTOCOL} of the protocol, and the service (${welcome.version}) version ` +
          `${welcome.protocol}: update the ${welcome.protocol > PROTOCOL ? "client" : "service"}`,
      );
    }
    return welcome;
  }
}
