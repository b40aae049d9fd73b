import type { Code, ServiceError } from "./types.js";

/** Why an operation failed: the code is for programs, the message for people. */
export class ServiceFailure extends Error {
  override readonly name = "ServiceFailure";
  readonly code: Code;
  /** More, depending on the code: `diagnostics`, `problems`, `runs`, `obstacles`, `refusal`. */
  readonly details: unknown;

  constructor(code: Code, message: string, options?: { details?: unknown; cause?: unknown }) {
    super(message, { cause: options?.cause });
    this.code = code;
    this.details = options?.details;
  }

  static from(error: ServiceError): ServiceFailure {
    return new ServiceFailure(error.code, error.message, { details: error.details });
  }

  /** Whether the same request may succeed later. */
  get isTemporary(): boolean {
    return ["unavailable", "shutting_down", "too_many_requests"].includes(this.code);
  }
}
