import { expect, test } from "vitest";

import { age, bytes, cost, count, dollars, duration, moment, shortCost, tokens } from "./format";

test.each([
  [0, "0 ms"],
  [850, "850 ms"],
  [999.9, "999 ms"],
  [1_000, "1.0 s"],
  [12_449, "12.4 s"],
  [59_999, "59.9 s"],
  [185_000, "3 m 05 s"],
  [3_599_999, "59 m 59 s"],
  [7_620_000, "2 h 07 m"],
  [273_600_000, "3 d 04 h"],
  [-5, "0 ms"],
])("%d ms is written as %s", (ms, text) => expect(duration(ms)).toBe(text));

test.each([
  [0, "$0.00"],
  [0.00001, "< $0.0001"],
  [0.0042, "$0.0042"],
  [0.02, "$0.02"],
  [0.0123, "$0.0123"],
  [0.42, "$0.42"],
  [12.5, "$12.50"],
  [1234.5, "$1,234.50"],
])("%d dollars are written as %s", (amount, text) => expect(dollars(amount)).toBe(text));

test("a cost that is not known is not zero", () => {
  expect(cost({ attempts: 0, costUsd: null, unpriced: 0 })).toBe("–");
  expect(cost({ attempts: 2, costUsd: null, unpriced: 2 })).toBe("unknown");
  expect(cost({ attempts: 8, costUsd: 0.42, unpriced: 3 })).toBe("≥ $0.42, 3 of 8 calls unpriced");
  expect(shortCost({ attempts: 8, costUsd: 0.42, unpriced: 3 })).toBe("≥ $0.42");
  expect(cost({ attempts: 8, costUsd: 0, unpriced: 0 })).toBe("$0.00");
  expect(tokens({ attempts: 1, tokens: null, uncounted: 1 })).toBe("unknown");
  expect(tokens({ attempts: 2, tokens: 1_234_567, uncounted: 1 })).toBe("≥ 1,234,567");
});

test("numbers, sizes, ages and moments are short", () => {
  expect(count(12_340)).toBe("12,340");
  expect([512, 4_200, 1_500_000].map(bytes)).toEqual(["512 B", "4.2 KB", "1.5 MB"]);
  expect([0, 12_000, 185_000, 7_500_000, 432_000_000].map(age)).toEqual([
    "now",
    "12 s ago",
    "3 min ago",
    "2 h ago",
    "5 d ago",
  ]);
  const now = new Date(2026, 10, 29, 14, 2, 7).getTime();
  expect(moment(now, now)).toBe("14:02");
  expect(moment(new Date(2026, 2, 1, 9, 5).getTime(), now)).toBe("1 Mar 09:05");
  expect(moment(new Date(2025, 2, 1, 9, 5).getTime(), now)).toBe("1 Mar 2025 09:05");
});
