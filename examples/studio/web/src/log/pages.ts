import type { Event, OutputEntry } from "workflow-client";

import { LogRows, type LogRow } from "./rows";

/** How many entries a page has: the last one grows up to that. */
export const PAGE = 1_000;
/** How many pages are held: others are read again when they come into view. */
export const HELD = 40;

/** A part of what is selected of a log. */
export interface LogPage {
  /** The number of its first entry; 0 for the first page. */
  start: number;
  /** How many entries it has. */
  count: number;
  /** How many lines it has, or is taken to have while it is not held. */
  size: number;
  /** Its lines; undefined while it is not held. */
  rows: LogRow[] | undefined;
}

interface Held {
  entries: OutputEntry[];
  /** The last event before its first line. */
  after: number;
  log: LogRows;
  /** When it was last in view. */
  used: number;
}

/** The pages of a selection, of which only some are held. */
export class LogPages {
  readonly pages: LogPage[] = [];
  readonly #held = new Map<LogPage, Held>();
  #clock = 0;

  /** `total` entries, whose pages but the first begin with these numbers, the last one first. */
  constructor(total: number, starts: readonly number[]) {
    const others = starts.slice(0, Math.max(0, Math.ceil(total / PAGE) - 1)).reverse();
    const first = total - others.length * PAGE;
    for (const [index, start] of [0, ...others].entries()) {
      const count = index === 0 ? first : PAGE;
      this.pages.push({ start, count, size: count, rows: undefined });
    }
  }

  get last(): LogPage {
    // There is always a first page.
    return this.pages[this.pages.length - 1] as LogPage;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  isHeld(page: LogPage): boolean {
    return this.#held.has(page);
  }

  /** The index of the page that an entry with that number is in. */
  indexOf(number: number): number {
    let [low, high] = [0, this.pages.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.pages[middle]?.start ?? 0) <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Holds the entries of a page. `after` is the last event before its first line. */
  hold(page: LogPage, entries: OutputEntry[], after: number, events: Event[]): void {
    this.#clock += 1;
    this.#held.set(page, { entries, after, log: new LogRows([], 0), used: this.#clock });
    page.count = entries.length;
    this.render(page, events);
  }

  /** Notes that pages are in view, and lets others go when there are too many. */
  use(from: number, to: number): void {
    this.#clock += 1;
    for (const page of this.pages.slice(from, to + 1)) {
      const held = this.#held.get(page);
      if (held) held.used = this.#clock;
    }
    if (this.#held.size <= HELD) return;
    const oldest = [...this.#held].sort(([, a], [, b]) => a.used - b.used);
    for (const [page] of oldest.slice(0, this.#held.size - HELD)) {
      this.#held.delete(page);
      page.rows = undefined;
    }
  }

  /** Adds an entry behind the last one. */
  append(entry: OutputEntry, events: Event[]): void {
    const { last } = this;
    const held = this.#held.get(last);
    if (last.count >= PAGE) {
      const next = { start: entry.number, count: 1, size: 1, rows: undefined };
      this.pages.push(next);
      if (held === undefined) return;
      // Events behind the last entry of the page are before the first one of the next.
      this.render(last, events);
      this.hold(next, [entry], held.entries.at(-1)?.afterEvent ?? held.after, events);
      this.use(this.pages.length - 2, this.pages.length - 1);
      return;
    }
    last.count += 1;
    if (held === undefined) {
      last.size += 1;
      return;
    }
    held.entries.push(entry);
    held.log.add(entry);
  }

  /** Shows events that came behind everything else. */
  appendEvents(): void {
    this.#held.get(this.last)?.log.addEvents(Infinity);
  }

  /** Gives out the lines of the last page as a new list. */
  renew(): void {
    const { last } = this;
    const held = this.#held.get(last);
    if (held === undefined) return;
    last.rows = held.log.rows.slice();
    last.size = last.rows.length;
  }

  /** Makes the lines of a held page: those of its entries, and the events between them. */
  render(page: LogPage, events: Event[]): void {
    const held = this.#held.get(page);
    if (held === undefined) return;
    held.log = new LogRows(events, held.after);
    for (const entry of held.entries) held.log.add(entry);
    if (page === this.last) held.log.addEvents(Infinity);
    page.rows = held.log.rows.slice();
    page.size = page.rows.length;
  }

  renderAll(events: Event[]): void {
    for (const page of this.#held.keys()) this.render(page, events);
  }
}
