import type { Client, Event, OutputEntry } from "workflow-client";

import { isWithin } from "../address";
import { eventAttempt, eventLevel, eventPlace, eventText } from "../run/eventWords";
import { hasLevel, hasText, isCounted, logRequest, selects, type LogFilter } from "./filter";
import { LogRows, type LogRow } from "./rows";

/** How many entries are read at once. */
const WINDOW = 1_000;
/** How many entries are held. */
const HELD = 40_000;
/** By how many more they grow before the oldest are dropped. */
const SLACK = 5_000;

/** What is shown of a log. */
export interface LogState {
  rows: LogRow[];
  /** How many lines are selected in all: undefined if that is not known. */
  total: number | undefined;
  /** How many older entries are not loaded; undefined if that is not known, and there may be some. */
  older: number | undefined;
  /** Whether the newest entries are loaded. */
  isAtEnd: boolean;
  isLoading: boolean;
  failure: unknown;
}

/** A window of the log of a run, which grows at both ends; new output is added at its end. */
export class LogModel {
  readonly #client: Client;
  readonly #runId: string;
  #filter: LogFilter;
  #entries: OutputEntry[] = [];
  /** Output that has arrived since the page was opened. */
  #arrived: OutputEntry[] = [];
  #events: Event[] = [];
  /** Those of the events that are selected; the lines share the list. */
  #shown: Event[] = [];
  #log = new LogRows([], 0);
  #counted: number | undefined;
  /** The last entry that was counted. */
  #newest = 0;
  #isFirst = false;
  #isAtEnd = true;
  #isLoading = false;
  #failure: unknown;
  #turn = 0;
  #state: LogState = { rows: [], total: undefined, older: 0, isAtEnd: true, isLoading: true, failure: undefined };
  readonly #listeners = new Set<() => void>();

  constructor(client: Client, runId: string, filter: LogFilter) {
    this.#client = client;
    this.#runId = runId;
    this.#filter = filter;
  }

  get state(): LogState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Shows what a filter selects: the newest of it, or what is around an entry. */
  async select(filter: LogFilter, around?: number): Promise<void> {
    this.#filter = filter;
    await this.#load(async () => {
      const request = logRequest(this.#runId, filter);
      if (request === undefined) {
        [this.#entries, this.#counted, this.#isFirst, this.#isAtEnd] = [[], 0, true, true];
        return;
      }
      const place = around === undefined ? {} : { after: Math.max(0, around - WINDOW / 2) };
      const window = await this.#client.call("workflow:runs:logs", {
        ...request,
        ...place,
        limit: WINDOW,
        counted: true,
      });
      return () => {
        this.#counted = window.total ?? undefined;
        this.#entries = window.entries.filter((entry) => selects(filter, entry));
        const isFull = window.entries.length >= WINDOW;
        this.#isFirst = around === undefined ? !isFull : around <= WINDOW / 2;
        this.#isAtEnd = around === undefined || !isFull;
        if (this.#isAtEnd) this.#catchUp(false);
        else this.#newest = Math.max(this.#last(), this.#arrived.at(-1)?.number ?? 0);
      };
    });
  }

  /** Loads the entries before the first one. */
  async older(): Promise<void> {
    const request = logRequest(this.#runId, this.#filter);
    const first = this.#entries[0];
    if (this.#isFirst || this.#isLoading || request === undefined || first === undefined) return;
    await this.#load(async () => {
      const window = await this.#client.call("workflow:runs:logs", { ...request, before: first.number, limit: WINDOW });
      return () => {
        this.#isFirst = window.entries.length < WINDOW;
        this.#entries = [...window.entries.filter((entry) => selects(this.#filter, entry)), ...this.#entries];
        if (this.#entries.length > HELD) {
          this.#entries.length = HELD;
          this.#isAtEnd = false;
        }
      };
    });
  }

  /** Loads the entries behind the last one, where the window is not at the end. */
  async newer(): Promise<void> {
    const request = logRequest(this.#runId, this.#filter);
    const last = this.#entries.at(-1);
    if (this.#isAtEnd || this.#isLoading || request === undefined || last === undefined) return;
    await this.#load(async () => {
      const window = await this.#client.call("workflow:runs:logs", { ...request, after: last.number, limit: WINDOW });
      return () => {
        this.#entries = [...this.#entries, ...window.entries.filter((entry) => selects(this.#filter, entry))];
        this.#isAtEnd = window.entries.length < WINDOW;
        this.#drop();
        if (this.#isAtEnd) this.#catchUp(true);
      };
    });
  }

  /** Adds events of the run, in order. */
  addEvents(events: Event[]): void {
    for (const event of events) {
      this.#events.push(event);
      if (this.#selectsEvent(event)) this.#shown.push(event);
    }
    // Those that happened before the output that is shown have their places between it.
    const isLate = (events[0]?.seq ?? Infinity) <= (this.#entries.at(-1)?.afterEvent ?? 0);
    this.#render(isLate ? undefined : this.#entries.length);
  }

  /** Adds output that has arrived. */
  addOutput(entries: OutputEntry[]): void {
    for (const entry of entries) this.#arrived.push(entry);
    if (this.#arrived.length > HELD + SLACK) this.#arrived = this.#arrived.slice(-HELD);
    if (this.#isLoading) return;
    const selected = entries.filter((entry) => entry.number > this.#newest && selects(this.#filter, entry));
    this.#newest = Math.max(this.#newest, entries.at(-1)?.number ?? 0);
    if (this.#counted !== undefined) this.#counted += selected.length;
    if (!this.#isAtEnd) return this.#show();
    const before = this.#entries.length;
    for (const entry of selected) this.#entries.push(entry);
    this.#render(this.#drop() ? undefined : before);
  }

  #last(): number {
    return this.#entries.at(-1)?.number ?? 0;
  }

  /** Adds what has arrived while the window was read, and is not in it. */
  #catchUp(isCounted: boolean): void {
    for (const entry of this.#arrived) {
      if (entry.number <= this.#last() || !selects(this.#filter, entry)) continue;
      this.#entries.push(entry);
      if (this.#counted !== undefined && !isCounted) this.#counted += 1;
    }
    this.#newest = Math.max(this.#last(), this.#arrived.at(-1)?.number ?? 0);
  }

  /** Drops the oldest entries if there are too many. */
  #drop(): boolean {
    if (this.#entries.length <= HELD + SLACK) return false;
    this.#entries = this.#entries.slice(-HELD);
    this.#isFirst = false;
    return true;
  }

  async #load(read: () => Promise<(() => void) | undefined>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#isLoading = true;
    this.#show();
    try {
      const apply = await read();
      if (turn !== this.#turn) return;
      apply?.();
      this.#failure = undefined;
    } catch (failure) {
      if (turn !== this.#turn) return;
      this.#failure = failure;
    }
    this.#isLoading = false;
    this.#render(undefined);
  }

  #selectsEvent(event: Event): boolean {
    const { level, kind, at, attempt, text } = this.#filter;
    const place = eventPlace(event);
    return (
      (kind === undefined || kind === "event") &&
      hasLevel(eventLevel(event), level) &&
      (at === undefined || (place !== undefined && isWithin(place, at))) &&
      (attempt === undefined || eventAttempt(event) === attempt) &&
      hasText(eventText(event), text)
    );
  }

  /** Makes the lines: of all entries, or of those from an index on. */
  #render(from: number | undefined): void {
    if (from === undefined) {
      this.#shown = this.#events.filter((event) => this.#selectsEvent(event));
      // Events from before the window are with the entries that are not loaded.
      const after = this.#isFirst ? 0 : (this.#entries[0]?.afterEvent ?? 0);
      this.#log = new LogRows(this.#shown, after);
    }
    for (let n = from ?? 0; n < this.#entries.length; n += 1) {
      const entry = this.#entries[n];
      if (entry) this.#log.add(entry);
    }
    if (this.#isAtEnd) this.#log.addEvents(Infinity);
    this.#show();
  }

  #show(): void {
    const events = this.#log.rows.reduce((count, row) => count + (row.isEvent ? 1 : 0), 0);
    const missing = this.#counted === undefined ? undefined : this.#counted - this.#entries.length;
    this.#state = {
      rows: this.#log.rows.slice(),
      total: this.#counted === undefined || !isCounted(this.#filter) ? undefined : this.#counted + events,
      older: this.#isFirst ? 0 : this.#isAtEnd ? missing : undefined,
      isAtEnd: this.#isAtEnd,
      isLoading: this.#isLoading,
      failure: this.#failure,
    };
    for (const listener of this.#listeners) listener();
  }
}
