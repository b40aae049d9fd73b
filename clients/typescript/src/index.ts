export * from "./client.js";
export { ServiceFailure } from "./failure.js";
export { HttpTransport, type HttpOptions } from "./http.js";
export type { Transport } from "./transport.js";
export type * from "./types.js";
