import { LineReader } from "./lines.js";

/** An event of a stream of server-sent events. */
export interface SentEvent {
  event: string;
  data: string;
}

/** Reads server-sent events from the body of a response, in whatever pieces it arrives. */
export class EventReader {
  #event = "";
  #data: string[] = [];
  readonly #lines = new LineReader();

  /** The events that are complete with this piece. */
  *push(piece: Uint8Array): Generator<SentEvent> {
    for (const line of this.#lines.push(piece)) yield* this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  *#line(line: string): Generator<SentEvent> {
    if (line === "") {
      if (this.#data.length > 0) yield { event: this.#event || "message", data: this.#data.join("\n") };
      this.#event = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
  }
}
