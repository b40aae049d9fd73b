import { expect, test } from "vitest";

import { fieldAt, linesOf, sectionOf } from "./places";

const range = (line: number, column: number, endLine: number, endColumn: number) => ({
  line,
  column,
  endLine,
  endColumn,
});

// plan:
//   provider: demo
//   with: { a: 1, b: 2 }
//   prompt: |
//     Plan
const RANGES = {
  "": range(1, 1, 6, 1),
  plan: range(2, 3, 6, 1),
  "plan.provider": range(2, 13, 2, 17),
  "plan.with": range(3, 9, 3, 23),
  "plan.with.a": range(3, 14, 3, 15),
  "plan.with.b": range(3, 20, 3, 21),
  "plan.prompt": range(4, 11, 5, 9),
};

test.each([
  [1, 1, undefined],
  [2, 4, "plan.provider"],
  [2, 15, "plan.provider"],
  [3, 3, "plan.with"],
  [3, 20, "plan.with.b"],
  [5, 6, "plan.prompt"],
])("the field at %i:%i is %s", (line, column, path) => {
  expect(fieldAt(RANGES, { line, column })).toBe(path);
});

test("a field that the text does not have is where what contains it is", () => {
  expect(linesOf(RANGES, "plan.with.b")).toEqual({ from: 3, to: 3 });
  expect(linesOf(RANGES, "plan.retries")).toEqual({ from: 2, to: 5 });
  expect(linesOf(RANGES, "ship.prompt")).toBeUndefined();
  expect(["plan.with.b", "plan", "workflow.stages[1]"].map(sectionOf)).toEqual(["plan", "plan", "workflow"]);
});
