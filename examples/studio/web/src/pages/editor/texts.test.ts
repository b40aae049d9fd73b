import { expect, test } from "vitest";

import { applyFix, diffLines } from "./texts";

test("a fix replaces what the service names, counted in characters", () => {
  const fix = { title: "x", line: 2, column: 5, endLine: 2, endColumn: 8, newText: "new" };
  expect(applyFix("a\n🦀b: old # c\n", fix)).toBe("a\n🦀b: new # c\n");
  expect(applyFix("a\nb", { ...fix, line: 2, column: 2, endLine: 2, endColumn: 2, newText: "\nc" })).toBe("a\nb\nc");
});

test("texts are compared by lines", () => {
  expect(diffLines("a\nb\nc", "a\nx\nc\nd").map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    "same a",
    "removed b",
    "added x",
    "same c",
    "added d",
  ]);
  expect(diffLines("", "")).toEqual([{ kind: "same", text: "" }]);
});
