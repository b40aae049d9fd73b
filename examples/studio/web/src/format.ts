import type { Spent } from "workflow-client";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `850 ms`, `12.4 s`, `3 m 05 s`, `2 h 07 m`, `3 d 04 h`. */
export function duration(milliseconds: number): string {
  const ms = Math.max(0, Math.floor(milliseconds));
  if (ms < SECOND) return `${ms} ms`;
  if (ms < MINUTE) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m ${two(Math.floor(ms / SECOND) % 60)} s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${two(Math.floor(ms / MINUTE) % 60)} m`;
  return `${Math.floor(ms / DAY)} d ${two(Math.floor(ms / HOUR) % 24)} h`;
}

/** As {@link duration}, in whole seconds: for a time that counts up. */
export function elapsed(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  return ms < MINUTE ? `${Math.floor(ms / SECOND)} s` : duration(ms);
}

/** How long ago: `now`, `12 s ago`, `3 min ago`, `2 h ago`, `5 d ago`. */
export function age(milliseconds: number): string {
  if (milliseconds < 5 * SECOND) return "now";
  if (milliseconds < MINUTE) return `${Math.floor(milliseconds / SECOND)} s ago`;
  if (milliseconds < HOUR) return `${Math.floor(milliseconds / MINUTE)} min ago`;
  if (milliseconds < DAY) return `${Math.floor(milliseconds / HOUR)} h ago`;
  return `${Math.floor(milliseconds / DAY)} d ago`;
}

/** `$0.0042`, `$0.42`, `$12.50`. */
export function dollars(amount: number): string {
  if (amount === 0) return "$0.00";
  if (amount < 0.0001) return "< $0.0001";
  if (amount >= 0.1) return `$${grouped(amount, 2)}`;
  return `$${amount.toFixed(4).replace(/0{1,2}$/, "")}`;
}

/** The cost: `$0.42`, `≥ $0.42, 3 of 8 calls unpriced`, `unknown`; `–` where nothing was called. */
export function cost(spent: Pick<Spent, "attempts" | "costUsd" | "unpriced">): string {
  if (spent.attempts === 0) return "–";
  if (spent.costUsd === null) return "unknown";
  if (spent.unpriced === 0) return dollars(spent.costUsd);
  return `≥ ${dollars(spent.costUsd)}, ${spent.unpriced} of ${spent.attempts} calls unpriced`;
}

/** The cost for a narrow cell: `≥ $0.42`. */
export function shortCost(spent: Pick<Spent, "attempts" | "costUsd" | "unpriced">): string {
  return cost(spent).split(",")[0] ?? "";
}

/** The tokens: `12,340`, `≥ 12,340`, `unknown`. */
export function tokens(spent: Pick<Spent, "attempts" | "tokens" | "uncounted">): string {
  if (spent.attempts === 0) return "–";
  if (spent.tokens === null) return "unknown";
  return `${spent.uncounted > 0 ? "≥ " : ""}${count(spent.tokens)}`;
}

/** `12,340`. */
export function count(number: number): string {
  return grouped(number, 0);
}

/** `1 run`, `2 runs`. */
export function counted(number: number, what: string): string {
  return `${count(number)} ${what}${number === 1 ? "" : "s"}`;
}

/** `512 B`, `4.2 KB`, `1.5 MB`. */
export function bytes(number: number): string {
  if (number < 1_000) return `${number} B`;
  if (number < 1_000_000) return `${(number / 1_000).toFixed(1)} KB`;
  return `${(number / 1_000_000).toFixed(1)} MB`;
}

export type Zone = "local" | "utc";

let zone: Zone = "local";

/** Shows all times in this zone from now on. */
export function setZone(next: Zone): void {
  zone = next;
}

export const isUtc = (): boolean => zone === "utc";

/** Of a time its fields in the zone that is shown, as those of UTC. */
function shown(at: number): Date {
  return new Date(isUtc() ? at : at - new Date(at).getTimezoneOffset() * MINUTE);
}

/** `14:02:07`. */
export function clock(at: number): string {
  return shown(at).toISOString().slice(11, 19);
}

/** `14:02:07.123`. */
export function exactClock(at: number): string {
  return `${clock(at)}.${String(new Date(at).getMilliseconds()).padStart(3, "0")}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `14:02` today, `29 Nov 14:02` in this year, `29 Nov 2025 14:02`. */
export function moment(at: number, now: number): string {
  const [date, today] = [shown(at), shown(now)];
  const time = clock(at).slice(0, 5);
  if (date.toISOString().slice(0, 10) === today.toISOString().slice(0, 10)) return time;
  const year = date.getUTCFullYear() === today.getUTCFullYear() ? "" : ` ${date.getUTCFullYear()}`;
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ""}${year} ${time}`;
}

/** `29 Nov 2026 14:02:07 +01:00`: for titles. */
export function fullTime(at: number): string {
  const date = shown(at);
  const offset = isUtc() ? 0 : -new Date(at).getTimezoneOffset();
  const away = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ""} ${date.getUTCFullYear()} ${clock(at)} ${away}`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}

function grouped(number: number, digits: number): string {
  const [whole = "", rest] = number.toFixed(digits).split(".");
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? groups : `${groups}.${rest}`;
}
