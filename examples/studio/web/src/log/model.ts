import type { Client, Event, OutputEntry, RunLogs } from "workflow-client";

import { isWithin } from "../address";
import { eventAttempt, eventLevel, eventPlace, eventText } from "../run/eventWords";
import { hasLevel, hasText, logRequest, selects, type LogFilter } from "./filter";
import { LogPages, PAGE, type LogPage } from "./pages";

/** How many entries that have arrived are kept for the time while the log is being read. */
const RECENT = 5_000;

/** What is shown of a log. */
export interface LogState {
  pages: readonly LogPage[];
  /** How many lines are selected in all: undefined if that is not known. */
  total: number | undefined;
  /** How many pages are held. */
  held: number;
  isLoading: boolean;
  failure: unknown;
}

const NOTHING: LogState = { pages: [], total: undefined, held: 0, isLoading: true, failure: undefined };

/** The log of a run: any part of it is read when it comes into view; new output is added at its end. */
export class LogModel {
  readonly #client: Client;
  readonly #runId: string;
  #filter: LogFilter;
  #request: RunLogs | undefined;
  #pages = new LogPages(0, []);
  #recent: OutputEntry[] = [];
  #events: Event[] = [];
  /** Those of the events that are selected; the lines share the list. */
  #shown: Event[] = [];
  #counted = 0;
  /** The last entry that was counted. */
  #newest = 0;
  #isLoading = true;
  #failure: unknown;
  /** Changes with each selection: answers to former ones are dropped. */
  #turn = 0;
  #wanted: [from: number, to: number] = [0, 0];
  #isReading = false;
  #state = NOTHING;
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

  /** Shows what a filter selects, from its end. */
  async select(filter: LogFilter): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#filter = filter;
    this.#request = logRequest(this.#runId, filter);
    this.#isLoading = true;
    this.#show();
    try {
      const window =
        this.#request === undefined
          ? { entries: [], total: 0 }
          : await this.#client.call("workflow:runs:logs", {
              ...this.#request,
              // One more: its events are before the first line of the page.
              limit: PAGE + 1,
              counted: true,
              marks: PAGE,
            });
      if (turn !== this.#turn) return;
      this.#shown = this.#events.filter((event) => this.#selectsEvent(event));
      this.#counted = window.total ?? window.entries.length;
      this.#pages = new LogPages(this.#counted, window.marks ?? []);
      this.#lastEvent = 0;
      this.#hold(this.#pages.last, window.entries);
      this.#newest = window.entries.at(-1)?.number ?? 0;
      const missed = this.#recent.filter((entry) => entry.number > this.#newest);
      this.#failure = undefined;
      this.#isLoading = false;
      this.#append(missed);
    } catch (failure) {
      if (turn !== this.#turn) return;
      [this.#failure, this.#isLoading] = [failure, false];
    }
    this.#show();
  }

  /** Reads the pages that are in view. Those that went out of view before their turn came are not read. */
  want(from: number, to: number): void {
    this.#wanted = [from, to];
    if (!this.#isReading) void this.#readWanted();
  }

  /** Reads the page of an entry, and says which it is. */
  async load(number: number): Promise<number> {
    const index = this.#pages.indexOf(number);
    const page = this.#pages.pages[index];
    this.#wanted = [index, index];
    if (page !== undefined && !this.#pages.isHeld(page)) await this.#read(page, this.#turn);
    return index;
  }

  /** Reads the page that an event is shown in, and says which it is. */
  async loadEvent(seq: number): Promise<number> {
    const { pages } = this.#pages;
    let [low, high] = [0, pages.length - 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const before = pages[middle + 1]?.start ?? 0;
      const { entries } = await this.#client.call("workflow:runs:logs", { ...this.#must(), before, limit: 1 });
      if ((entries[0]?.afterEvent ?? 0) >= seq) high = middle;
      else low = middle + 1;
    }
    return this.load(pages[low]?.start ?? 0);
  }

  /** Adds events of the run, in order. */
  addEvents(events: Event[]): void {
    for (const event of events) {
      this.#events.push(event);
      if (this.#selectsEvent(event)) this.#shown.push(event);
    }
    if (this.#isLoading) return;
    // Those that happened before the output that is shown have their places between it.
    const isLate = (events[0]?.seq ?? Infinity) <= this.#lastEvent;
    if (isLate) this.#pages.renderAll(this.#shown);
    else this.#pages.appendEvents();
    this.#pages.renew();
    this.#show();
  }

  /** Adds output that has arrived. */
  addOutput(entries: OutputEntry[]): void {
    for (const entry of entries) this.#recent.push(entry);
    if (this.#recent.length > 2 * RECENT) this.#recent = this.#recent.slice(-RECENT);
    if (this.#isLoading) return;
    this.#append(entries.filter((entry) => entry.number > this.#newest));
    this.#show();
  }

  /** The last event before the newest entry. */
  #lastEvent = 0;

  #append(entries: OutputEntry[]): void {
    for (const entry of entries) {
      this.#newest = entry.number;
      this.#lastEvent = Math.max(this.#lastEvent, entry.afterEvent);
      if (!selects(this.#filter, entry)) continue;
      this.#counted += 1;
      this.#pages.append(entry, this.#shown);
    }
    this.#pages.renew();
  }

  async #readWanted(): Promise<void> {
    this.#isReading = true;
    const turn = this.#turn;
    try {
      for (;;) {
        const [from, to] = this.#wanted;
        this.#pages.use(from, to);
        const missing = this.#pages.pages.slice(from, to + 1).find((page) => !this.#pages.isHeld(page));
        if (missing === undefined || turn !== this.#turn) break;
        await this.#read(missing, turn);
        this.#pages.use(...this.#wanted);
        this.#show();
      }
    } catch (failure) {
      if (turn === this.#turn) this.#failure = failure;
      this.#show();
    } finally {
      this.#isReading = false;
    }
    if (turn !== this.#turn) this.#show();
  }

  async #read(page: LogPage, turn: number): Promise<void> {
    const next = () => this.#pages.pages[this.#pages.pages.indexOf(page) + 1]?.start;
    const { entries } = await this.#client.call("workflow:runs:logs", {
      ...this.#must(),
      before: next() ?? this.#newest + 1,
      limit: page.count + 1,
    });
    if (turn !== this.#turn || this.#pages.isHeld(page)) return;
    // Entries that came meanwhile were counted, and belong to the last page.
    const [last, end] = [entries.at(-1)?.number ?? 0, next() ?? this.#newest + 1];
    const since = this.#recent.filter(({ number }) => number > last && number < end);
    this.#hold(page, [...entries, ...since.filter((entry) => selects(this.#filter, entry))]);
    this.#show();
  }

  /** Holds a page, of whose entries the first may be the last one of the page before. */
  #hold(page: LogPage, entries: OutputEntry[]): void {
    const own = entries.filter((entry) => entry.number >= page.start);
    const before = page.start === 0 ? undefined : entries.find((entry) => entry.number < page.start);
    this.#pages.hold(page, page === this.#pages.pages[0] ? entries : own, before?.afterEvent ?? 0, this.#shown);
    this.#lastEvent = Math.max(this.#lastEvent, entries.at(-1)?.afterEvent ?? 0);
    this.#failure = undefined;
  }

  #must(): RunLogs {
    return this.#request ?? { runId: this.#runId };
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

  #show(): void {
    this.#state = {
      pages: this.#pages.pages.slice(),
      total: this.#isLoading ? undefined : this.#counted + this.#shown.length,
      held: this.#pages.heldCount,
      isLoading: this.#isLoading,
      failure: this.#failure,
    };
    for (const listener of this.#listeners) listener();
  }
}
