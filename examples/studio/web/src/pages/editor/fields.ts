import type { FieldEdit } from "workflow-client";

/** A field of a stage that the form has. */
export interface StageField {
  name: string;
  label: string;
  about: string;
  kind: "text" | "lines" | "number" | "provider" | "onFailure";
  /** What is effective where the file does not have the field. */
  absent: string;
}

export const STAGE_FIELDS: StageField[] = [
  { name: "prompt", label: "Prompt", about: "What the provider is asked.", kind: "lines", absent: "none" },
  { name: "provider", label: "Provider", about: "Who does the work.", kind: "provider", absent: "the assigned one" },
  {
    name: "approval",
    label: "Approval",
    about: "A question to a person before the stage starts.",
    kind: "text",
    absent: "no approval needed",
  },
  { name: "on_failure", label: "On failure", about: "What a failure does.", kind: "onFailure", absent: "stop" },
  {
    name: "retries",
    label: "Retries",
    about: "How many more attempts a failure gets, with “retry” above: 0 to 10.",
    kind: "number",
    absent: "3",
  },
  {
    name: "timeout",
    label: "Time-out",
    about: "How long one attempt may take, such as 30s or 10m.",
    kind: "text",
    absent: "none",
  },
];

/** The value of a field as a text: empty where the file does not have it, undefined where it is no single value. */
export function shownValue(stage: unknown, name: string): string | undefined {
  if (!isMap(stage)) return "";
  const value = stage[name];
  if (value === undefined || value === null) return "";
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : undefined;
}

/** The stages of a file in their order; undefined if it does not list them. */
export function stagesOf(model: unknown): string[] | undefined {
  if (!isMap(model) || !isMap(model["workflow"])) return undefined;
  const stages = model["workflow"]["stages"];
  if (!Array.isArray(stages) || !stages.every((stage) => typeof stage === "string")) return undefined;
  return stages;
}

/** The map of a stage in the file; undefined if the file does not have it. */
export const stageOf = (model: unknown, stage: string): unknown => (isMap(model) ? model[stage] : undefined);

/** The edits that turn the file's values of a stage into those of the form. */
export function editsOf(stage: string, model: unknown, values: Record<string, string>): FieldEdit[] {
  return STAGE_FIELDS.flatMap(({ name, kind }): FieldEdit[] => {
    const value = values[name];
    const stored = shownValue(stageOf(model, stage), name);
    if (value === undefined || stored === undefined || value === stored) return [];
    const path = `${stage}.${name}`;
    if (value.trim() === "") return [{ path, remove: true }];
    return [{ path, value: kind === "number" && /^\d+$/.test(value.trim()) ? Number(value) : value }];
  });
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
