import { expect, test } from "vitest";

import { diffLines, offset, splice } from "./texts";

test("columns are counted in characters", () => {
  expect(offset("a\n🦀b: old # c\n", 2, 5)).toBe(7);
  expect(offset("a\nb", 9, 9)).toBe(3);
});

test("two texts differ in one part, as small as it can be", () => {
  expect(splice("a: 1\nb: 2\n", "a: 1\nb: 22\n")).toEqual({ from: 9, to: 9, insert: "2" });
  expect(splice("aa", "aaa")).toEqual({ from: 2, to: 2, insert: "a" });
  expect(splice("abc", "")).toEqual({ from: 0, to: 3, insert: "" });
  expect(splice("same", "same")).toBeUndefined();
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
