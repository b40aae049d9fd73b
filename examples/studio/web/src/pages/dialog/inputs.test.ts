import type { Input, VariableType } from "workflow-client";
import { expect, test } from "vitest";

import { fieldsOf, readFields } from "./inputs";

const input = (name: string, type: VariableType | null, more: Partial<Input> = {}): Input => ({
  name,
  type,
  enum: [],
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

test("one of several values is chosen, whatever its type", () => {
  const level = input("level", "integer", { enum: [1, 2, 3], default: 2 });
  const [field] = fieldsOf([level], undefined);
  expect([field?.kind, field?.text]).toEqual(["choice", "2"]);
  expect(readFields(fieldsOf([level], { level: 3 })).vars).toEqual({ level: 3 });
  expect(readFields(fieldsOf([input("tone", "string", { enum: ["a b", "c"] })], { tone: "a b" })).vars).toEqual({
    tone: "a b",
  });
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
      input("whole", "integer"),
      input("object", "object"),
    ],
    { text: "007", number: 1.5, switch: true, list: ["a", "b"], same: "d", whole: 7, object: { k: 1 } },
  );
  expect(readFields(fields)).toEqual({
    vars: { text: "007", number: 1.5, switch: true, list: ["a", "b"], whole: 7, object: { k: 1 } },
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
