import type { Input, VariableType } from "workflow-client";
import { expect, test } from "vitest";

import { fieldsOf, readFields } from "./inputs";

const input = (name: string, type: VariableType | null, more: Partial<Input> = {}): Input => ({
  name,
  type,
  required: false,
  default: null,
  description: null,
  usedIn: [],
  ...more,
});

test("required fields are first, and have the values of the run that is repeated", () => {
  const inputs = [
    input("a", "string", { default: "x" }),
    input("b", "number", { required: true }),
    input("c", "array"),
  ];
  expect(fieldsOf(inputs, undefined).map(({ input, kind, text }) => [input.name, kind, text])).toEqual([
    ["b", "number", ""],
    ["a", "text", "x"],
    ["c", "list", ""],
  ]);
  expect(fieldsOf(inputs, { b: 3, c: ["p", "q"] }).map((field) => field.text)).toEqual(["3", "x", "p\nq"]);
});

test("what lines or a text cannot say is JSON", () => {
  const kind = (type: VariableType | null, value: unknown) => fieldsOf([input("v", type)], { v: value })[0]?.kind;
  expect(kind("array", [1, 2])).toBe("json");
  expect(kind("array", ["a\nb"])).toBe("json");
  expect(kind(null, { a: 1 })).toBe("json");
  expect(kind(null, "text")).toBe("text");
  expect(kind(null, 7)).toBe("json");
});

test("values have the type of their variable", () => {
  const fields = fieldsOf(
    [
      input("text", "string"),
      input("number", "number"),
      input("switch", "boolean"),
      input("list", "array"),
      input("same", "string", { default: "d" }),
      input("empty", "number"),
    ],
    { text: "007", number: 1.5, switch: true, list: ["a", "b"], same: "d" },
  );
  expect(readFields(fields)).toEqual({
    vars: { text: "007", number: 1.5, switch: true, list: ["a", "b"] },
    errors: {},
  });
});

test("what is missing or of another type is said at its field", () => {
  const fields = fieldsOf([input("goal", "string", { required: true }), input("n", "number"), input("j", null)], {
    j: {},
  });
  const wrong = fields.map((field) => (field.kind === "text" ? field : { ...field, text: "{x" }));
  expect(readFields(wrong).errors).toEqual({ goal: "This is required.", n: "Write a number.", j: "This is not JSON." });
  expect(readFields(fieldsOf([input("on", "boolean", { required: true })], undefined)).vars).toEqual({ on: false });
});
