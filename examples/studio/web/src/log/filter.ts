import type { LogLevel, OutputEntry, OutputKind, RunLogs } from "workflow-client";

import { isWithin, parsePlace } from "../address";

/** What of the log is shown. */
export interface LogFilter {
  level: LogLevel;
  /** One kind of lines; undefined: all of the level. */
  kind: OutputKind | "event" | undefined;
  /** A place with all that is in it. */
  at: string | undefined;
  attempt: number | undefined;
  text: string;
}

const KINDS: OutputKind[] = ["stdout", "stderr", "text", "text_delta", "thinking", "tool", "log", "dropped"];
const LEVELS: LogLevel[] = ["error", "warn", "info", "debug"];

/** The level of output, as the service has it. */
export function outputLevel(kind: OutputKind): LogLevel {
  if (kind === "stderr" || kind === "dropped") return "warn";
  return kind === "stdout" || kind === "text" || kind === "text_delta" ? "info" : "debug";
}

export const hasLevel = (level: LogLevel, least: LogLevel): boolean => LEVELS.indexOf(level) <= LEVELS.indexOf(least);

/** The kinds of output that are selected: none if only events are. */
export function outputKinds({ level, kind }: LogFilter): OutputKind[] {
  const isSelected = (each: OutputKind) =>
    kind === undefined || each === kind || (kind === "text" && each === "text_delta");
  return KINDS.filter((each) => hasLevel(outputLevel(each), level) && isSelected(each));
}

/** The request for what is selected; undefined if no output is. */
export function logRequest(runId: string, filter: LogFilter): RunLogs | undefined {
  const kinds = outputKinds(filter);
  if (kinds.length === 0) return undefined;
  const request: RunLogs = { runId };
  if (kinds.length < KINDS.length) request.kinds = kinds;
  const place = filter.at === undefined ? undefined : parsePlace(filter.at);
  if (place) {
    request.iteration = place.iteration;
    if (place.stage !== undefined) request.stage = place.stage;
    if (place.lane !== undefined) request.lane = place.lane;
    if (place.node !== undefined) request.node = place.node;
    if (place.items.length > 0) request.items = place.items;
  }
  if (filter.attempt !== undefined) request.attempt = filter.attempt;
  if (filter.text !== "") request.text = filter.text;
  return request;
}

/** Whether a filter selects output that has arrived, as the service does. */
export function selects(filter: LogFilter, entry: OutputEntry): boolean {
  return (
    outputKinds(filter).includes(entry.kind) &&
    (filter.at === undefined || isWithin(entry.path, filter.at)) &&
    (filter.attempt === undefined || entry.attempt === filter.attempt) &&
    hasText(entry.text, filter.text)
  );
}

/** As the service searches: the case of the letters A to Z does not matter. */
export function hasText(text: string, sought: string): boolean {
  return sought === "" || lower(text).includes(lower(sought));
}

const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
