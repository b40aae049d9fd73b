import type { Event, OutputEntry } from "workflow-client";

import { eventAttempt, eventLevel, eventPlace, eventText } from "../run/eventWords";
import type { LineKind } from "../words";
import { outputLevel } from "./filter";
import { lines, type Span } from "./sgr";

/** A line of the log. */
export interface LogRow {
  key: string;
  /** The number of the output entry, or of the event. */
  number: number;
  /** Which line of the entry, from 1; undefined where it has one. */
  line: number | undefined;
  isEvent: boolean;
  at: number;
  place: string | undefined;
  attempt: number | undefined;
  kind: LineKind;
  level: "error" | "warn" | "info" | "debug";
  spans: Span[];
}

/** How long a line that grows by deltas may become before it is broken, in characters. */
const LONGEST = 4_000;

/** Puts output entries and events together to lines, in the order in which they happened. */
export class LogRows {
  readonly rows: LogRow[] = [];
  readonly #events: Event[];
  #next = 0;
  /** For each attempt the line that a further delta continues. */
  readonly #open = new Map<string, { row: number; text: string; line: number }>();

  /** `events`: those that are shown, in order; output that is added is behind those with lower numbers. */
  constructor(events: Event[], after: number) {
    this.#events = events;
    while ((this.#events[this.#next]?.seq ?? Infinity) <= after) this.#next += 1;
  }

  add(entry: OutputEntry): void {
    this.addEvents(entry.afterEvent);
    const attempt = `${entry.path}#${entry.attempt}`;
    if (entry.kind !== "text_delta") {
      this.#open.delete(attempt);
      const found = lines(entry.text);
      found.forEach((spans, n) => this.rows.push(row(entry, spans, found.length > 1 ? n + 1 : undefined)));
      return;
    }
    const open = this.#open.get(attempt);
    const known = open === undefined ? undefined : this.rows[open.row];
    const isContinued = open !== undefined && known !== undefined && open.text.length < LONGEST;
    const text = isContinued ? open.text + entry.text : entry.text;
    const parts = text.split("\n");
    parts.forEach((part, n) => {
      const spans = lines(part)[0] ?? [];
      if (n === 0 && isContinued) this.rows[open.row] = { ...known, spans };
      else this.rows.push(row(entry, spans, n > 0 ? n + 1 : undefined));
    });
    const last = parts.at(-1) ?? "";
    const index = parts.length === 1 && isContinued ? open.row : this.rows.length - 1;
    this.#open.set(attempt, { row: index, text: last, line: parts.length });
  }

  /** Adds the events up to a number. */
  addEvents(upTo: number): void {
    for (; this.#next < this.#events.length; this.#next += 1) {
      const event = this.#events[this.#next];
      if (event === undefined || event.seq > upTo) return;
      this.rows.push(eventRow(event));
    }
  }
}

function row(entry: OutputEntry, spans: Span[], line: number | undefined): LogRow {
  return {
    key: `${entry.number}.${line ?? 0}`,
    number: entry.number,
    line,
    isEvent: false,
    at: Date.parse(entry.at),
    place: entry.path,
    attempt: entry.attempt,
    kind: entry.kind,
    level: outputLevel(entry.kind) as LogRow["level"],
    spans,
  };
}

function eventRow(event: Event): LogRow {
  return {
    key: `e${event.seq}`,
    number: event.seq,
    line: undefined,
    isEvent: true,
    at: Date.parse(event.at),
    place: eventPlace(event),
    attempt: eventAttempt(event),
    kind: "event",
    level: eventLevel(event) as LogRow["level"],
    // Messages of events come from providers as well.
    spans: lines(eventText(event)).flatMap((line, n) =>
      n === 0 ? line : [{ text: " ⏎ ", classes: "faint" }, ...line],
    ),
  };
}
