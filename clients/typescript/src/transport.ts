import { ServiceFailure } from "./failure.js";
import type { Message, ServiceError, Subscribe } from "./types.js";

/** How a {@link Client} reaches the service. */
export interface Transport {
  /** Carries out an operation. Throws a {@link ServiceFailure}, or the reason of the signal. */
  call(operation: string, request: unknown, signal?: AbortSignal): Promise<unknown>;
  /**
   * The batches of one subscription over one connection. It returns when everything that was followed has ended, and
   * throws a temporary {@link ServiceFailure} when the connection is lost.
   */
  open(request: Subscribe, signal: AbortSignal): AsyncIterable<Message[]>;
  /** Ends the connection. Requests that are under way fail. */
  close(): Promise<void>;
}

/** The data of the envelope of a response. */
export function unwrap(envelope: unknown): unknown {
  const { success, data, error } = envelope as { success?: unknown; data?: unknown; error?: ServiceError };
  if (success === true) return data ?? null;
  if (error !== undefined) throw ServiceFailure.from(error);
  throw new ServiceFailure("internal", "the response is not an envelope of the workflow service");
}
