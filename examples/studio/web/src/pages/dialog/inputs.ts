import type { Input } from "workflow-client";

/** How a variable is written in the dialog. */
export type FieldKind = "text" | "number" | "switch" | "list" | "json" | "choice";

export interface InputField {
  input: Input;
  kind: FieldKind;
  text: string;
}

const KINDS: Record<string, FieldKind> = {
  string: "text",
  number: "number",
  integer: "number",
  boolean: "switch",
  array: "list",
  object: "json",
};

/** The fields of a workflow's inputs: required ones first, filled with defaults or with the values of a run. */
export function fieldsOf(inputs: Input[], from: Record<string, unknown> | undefined): InputField[] {
  const isFirst = (input: Input) => (input.required ? 0 : 1);
  return [...inputs]
    .sort((a, b) => isFirst(a) - isFirst(b))
    .map((input) => {
      const value = from !== undefined && input.name in from ? from[input.name] : input.default;
      const kind = kindOf(input, value);
      return { input, kind, text: written(kind, value) };
    });
}

/** The kind of a field: JSON where the type is not known and the value is no text. */
function kindOf(input: Input, value: unknown): FieldKind {
  if (input.enum.length > 0) return "choice";
  const kind = KINDS[input.type ?? ""];
  if (kind === "list") return isList(value) ? "list" : "json";
  if (kind !== undefined) return kind;
  return value === undefined || value === null || typeof value === "string" ? "text" : "json";
}

/** Whether lines can stand for the value: an array of texts without line breaks. */
function isList(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) && value.every((item) => typeof item === "string" && !/^$|\n/.test(item));
}

function written(kind: FieldKind, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (kind === "list") return (value as string[]).join("\n");
  if (kind === "json") return JSON.stringify(value, null, 2);
  if (kind === "choice") return JSON.stringify(value);
  return String(value);
}

/** The variables that are sent, and what is wrong with fields. What was left empty or as its default is not sent. */
export function readFields(fields: InputField[]): { vars: Record<string, unknown>; errors: Record<string, string> } {
  const vars: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const { input, kind, text } of fields) {
    const isEmpty = kind === "text" ? text === "" : text.trim() === "";
    if (isEmpty) {
      if (input.required && kind !== "switch") errors[input.name] = "This is required.";
      else if (input.required) vars[input.name] = false;
      continue;
    }
    const value = read(kind, text);
    if (value === undefined) errors[input.name] = kind === "number" ? "Write a number." : "This is not JSON.";
    else if (input.required || JSON.stringify(value) !== JSON.stringify(input.default)) vars[input.name] = value;
  }
  return { vars, errors };
}

function read(kind: FieldKind, text: string): unknown {
  switch (kind) {
    case "text":
      return text;
    case "number": {
      const number = Number(text);
      return Number.isFinite(number) ? number : undefined;
    }
    case "switch":
      return text === "true";
    case "list":
      return text
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "");
    case "choice":
    case "json":
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return undefined;
      }
  }
}
