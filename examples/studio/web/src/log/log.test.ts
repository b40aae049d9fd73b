import type { Event, OutputEntry, OutputKind } from "workflow-client";
import { expect, test } from "vitest";

import { hasText, logRequest, outputKinds, selects, type LogFilter } from "./filter";
import { LogRows } from "./rows";

const ALL: LogFilter = { level: "debug", kind: undefined, at: undefined, attempt: undefined, text: "" };

function entry(number: number, kind: OutputKind, text: string, more: Partial<OutputEntry> = {}): OutputEntry {
  return { number, afterEvent: 2, at: "2026-11-29T12:00:00Z", path: "1/code[0]/run", attempt: 1, kind, text, ...more };
}
const event = (seq: number): Event => ({ seq, at: "2026-11-29T12:00:00Z", v: 1, type: "run_started" });

const shown = (log: LogRows) => log.rows.map((row) => [row.key, row.spans.map((span) => span.text).join("")]);

test("events are between the output before and behind them", () => {
  const log = new LogRows([event(1), event(2), event(3)], 0);
  log.add(entry(1, "stdout", "a"));
  log.add(entry(2, "stdout", "b", { afterEvent: 3 }));
  expect(log.rows.map((row) => row.key)).toEqual(["e1", "e2", "1.0", "e3", "2.0"]);
});

test("a window that begins later has no events from before it", () => {
  const log = new LogRows([event(1), event(2), event(3)], 2);
  log.add(entry(9, "stdout", "a", { afterEvent: 2 }));
  log.addEvents(Infinity);
  expect(log.rows.map((row) => row.key)).toEqual(["9.0", "e3"]);
});

test("an entry with several lines has a row for each", () => {
  const log = new LogRows([], 0);
  log.add(entry(120, "tool", "one\ntwo\nthree"));
  expect(shown(log)).toEqual([
    ["120.1", "one"],
    ["120.2", "two"],
    ["120.3", "three"],
  ]);
});

test("deltas of an attempt are joined to lines, whatever others write in between", () => {
  const log = new LogRows([], 0);
  log.add(entry(1, "text_delta", "Hel"));
  log.add(entry(2, "text_delta", "other", { path: "1/test[0]/run" }));
  log.add(entry(3, "text_delta", "lo\nwor"));
  log.add(entry(4, "text_delta", "ld"));
  expect(shown(log)).toEqual([
    ["1.0", "Hello"],
    ["2.0", "other"],
    ["3.2", "world"],
  ]);
  log.add(entry(5, "stdout", "between"));
  log.add(entry(6, "text_delta", "new"));
  expect(shown(log).slice(3)).toEqual([
    ["5.0", "between"],
    ["6.0", "new"],
  ]);
});

test("levels and kinds select output as the service does", () => {
  expect(outputKinds({ ...ALL, level: "error" })).toEqual([]);
  expect(outputKinds({ ...ALL, level: "warn" })).toEqual(["stderr", "dropped"]);
  expect(outputKinds({ ...ALL, kind: "text" })).toEqual(["text", "text_delta"]);
  expect(outputKinds({ ...ALL, kind: "event" })).toEqual([]);
  expect(logRequest("r", { ...ALL, level: "error" })).toBeUndefined();
  expect(logRequest("r", ALL)).toEqual({ runId: "r" });
  expect(logRequest("r", { ...ALL, at: "2/test[1]/review[3]", attempt: 2, text: "x" })).toEqual({
    runId: "r",
    iteration: 2,
    stage: "test",
    lane: 1,
    node: "review",
    items: [3],
    attempt: 2,
    text: "x",
  });
});

test("output that arrives is selected as by the service", () => {
  const line = entry(1, "stdout", "Straße ERROR");
  expect(selects({ ...ALL, at: "1/code" }, line)).toBe(true);
  expect(selects({ ...ALL, at: "1/cod" }, line)).toBe(false);
  expect(selects({ ...ALL, attempt: 2 }, line)).toBe(false);
  expect(selects({ ...ALL, text: "error" }, line)).toBe(true);
  expect(hasText("STRASSE", "straße")).toBe(false);
  expect(hasText("É", "é")).toBe(false);
});
