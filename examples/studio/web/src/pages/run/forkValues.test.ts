import { expect, test } from "vitest";

import { changedValues, shownText } from "./forkValues";

test("only what was changed is sent, and texts stay texts", () => {
  const stored = { goal: "7", count: 7, list: [1], gone: null };
  expect(shownText(stored.goal)).toBe("7");
  const texts = { goal: "8", count: "8", list: shownText([1]), gone: "{", other: "1" };
  expect(changedValues(stored, texts)).toEqual({ values: { goal: "8", count: 8 }, wrong: ["gone"] });
});
