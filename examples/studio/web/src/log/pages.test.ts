import type { Event, OutputEntry } from "workflow-client";
import { expect, test } from "vitest";

import { HIGHEST, LogLayout, LogScale, ROW } from "./layout";
import { HELD, LogPages, PAGE } from "./pages";

function entry(number: number, afterEvent = 0): OutputEntry {
  const at = "2026-11-29T12:00:00Z";
  return { number, afterEvent, at, path: "1/code[0]/run", attempt: 1, kind: "stdout", text: `line ${number}` };
}

test("pages are cut from the end, and found by number", () => {
  const pages = new LogPages(2_500, [1_501, 501]);
  expect(pages.pages.map(({ start, count }) => [start, count])).toEqual([
    [0, 500],
    [501, 1_000],
    [1_501, 1_000],
  ]);
  expect([1, 500, 501, 1_500, 1_501, 9_999].map((number) => pages.indexOf(number))).toEqual([0, 0, 1, 1, 2, 2]);
  expect(new LogPages(PAGE, [1]).pages).toHaveLength(1);
  expect(new LogPages(0, []).pages).toHaveLength(1);
});

test("output that arrives begins a new page when the last one is full, and events stay before what follows them", () => {
  const events: Event[] = [{ seq: 3, at: "2026-11-29T12:00:00Z", v: 1, type: "run_started" }];
  const pages = new LogPages(0, []);
  pages.hold(pages.last, [], 0, events);
  for (let number = 1; number <= PAGE; number += 1) pages.append(entry(number, 1), events);
  pages.appendEvents();
  pages.renew();
  expect(pages.last.rows?.at(0)?.key).toBe("e3");
  pages.append(entry(PAGE + 1, 3), events);
  pages.renew();
  expect(pages.pages.map(({ count }) => count)).toEqual([PAGE, 1]);
  expect(pages.pages[0]?.rows?.some((row) => row.isEvent)).toBe(false);
  expect(pages.last.rows?.map((row) => row.key)).toEqual(["e3", "1001.0"]);
});

test("only the pages that were in view last are held", () => {
  const total = 100 * PAGE;
  const starts = Array.from({ length: 99 }, (_, n) => total - (n + 1) * PAGE + 1);
  const pages = new LogPages(total, starts);
  for (const [index, page] of pages.pages.entries()) {
    pages.hold(page, [entry(index * PAGE + 1)], 0, []);
    pages.use(index, index);
  }
  expect(pages.heldCount).toBe(HELD);
  expect(pages.pages.filter((page) => page.rows !== undefined).map((page) => page.start)[0]).toBe(60_001);
});

test("lines have their places, whether their pages are held or not, and whether they are wrapped or not", () => {
  const pages = new LogPages(2_500, [1_501, 501]);
  const layout = new LogLayout(pages.pages, new Map());
  expect(layout.total).toBe(2_500 * ROW);
  expect(layout.at(600 * ROW + 5)).toEqual({ page: 1, row: 100, within: 5 });
  expect(layout.topOf({ page: 1, row: 100 })).toBe(600 * ROW);
  expect(layout.next({ page: 0, row: 499 })).toEqual({ page: 1, row: 0 });
  expect(layout.next({ page: 2, row: 999 })).toBeUndefined();
  const first = pages.pages[0];
  if (first) pages.hold(first, [entry(1), entry(2), entry(3)], 0, []);
  const wrapped = new LogLayout(pages.pages, new Map([["2.0", 3 * ROW]]));
  expect(wrapped.topOf({ page: 0, row: 2 })).toBe(4 * ROW);
  expect(wrapped.at(3 * ROW)).toEqual({ page: 0, row: 1, within: 2 * ROW });
  expect(wrapped.topOf({ page: 1, row: 0 })).toBe(5 * ROW);
});

test("a log that is higher than an element can be is scaled: short scrolls are exact, and both ends are reached", () => {
  const total = 50 * HIGHEST;
  const scale = new LogScale(total, 600);
  expect(scale.height).toBe(HIGHEST);
  expect(scale.bar(scale.end)).toBeCloseTo(HIGHEST - 600);
  expect(scale.moved(1_000_000, 20_000, 20_100)).toBe(1_000_100);
  expect(scale.moved(0, 0, HIGHEST / 2)).toBeCloseTo(25 * HIGHEST, -5);
  expect(scale.moved(5_000, 100, 0)).toBe(0);
  expect(scale.moved(5_000, HIGHEST - 800, HIGHEST - 600)).toBe(scale.end);
  expect(new LogScale(8_000, 600).moved(0, 0, 300)).toBe(300);
});
