import type { FieldEdit, PlannedStage, ProviderInfo } from "workflow-client";

/** A field of the form. */
export interface FormField {
  /** Its path in the file, such as `test.retries`. */
  path: string;
  label: string;
  about: string;
  kind: "text" | "lines" | "number" | "choice" | "list" | "switch";
  /** What a choice offers. */
  options?: string[];
  /** What is effective where the file does not have the field. */
  absent: string;
}

/** What the form knows beside the text. */
export interface Known {
  providers: ProviderInfo[];
  /** That of new stages. */
  provider: string | undefined;
  roles: string[];
  /** The profiles of stages, as `stage.profile`. */
  profiles: string[];
  /** The stages as a run executes them, without what the text leaves out; empty while the text has errors. */
  stages: PlannedStage[];
}

export const WORKFLOW_FIELDS: FormField[] = [
  { path: "workflow.name", label: "Name", about: "What people call it.", kind: "text", absent: "the id" },
  { path: "workflow.description", label: "Description", about: "", kind: "lines", absent: "none" },
  {
    path: "workflow.loop.max_iters",
    label: "Max iterations",
    about: "How often the stages run at most.",
    kind: "number",
    absent: "no loop",
  },
  {
    path: "workflow.loop.stop_when",
    label: "Stop when",
    about: "The condition that ends the loop, such as $.done == true.",
    kind: "text",
    absent: "after the last iteration",
  },
];

/** The fields of a stage; those that do not matter for it are left out. */
export function stageFields(stage: string, model: unknown, known: Known): FormField[] {
  const planned = known.stages.find(({ id }) => id === stage);
  const lane = planned?.lanes.length === 1 ? planned.lanes[0] : undefined;
  const own = stageOf(model, stage);
  const value = (name: string) => (isMap(own) ? own[name] : undefined);
  const provider = typeof value("provider") === "string" ? (value("provider") as string) : lane?.provider;
  const onFailure = value("on_failure") ?? planned?.onFailure;
  const fields: FormField[] = [
    { path: "prompt", label: "Prompt", about: "What the provider is asked.", kind: "lines", absent: "none" },
    {
      path: "provider",
      label: "Provider",
      about: "Who does the work.",
      kind: "choice",
      options: known.providers.map(({ name }) => name),
      absent: lane?.provider ?? "the assigned one",
    },
    {
      path: "role",
      label: "Role",
      about: "The role whose instructions it gets.",
      kind: "choice",
      options: known.roles,
      absent: lane === undefined ? "the one with the stage's name" : (lane.role ?? "none"),
    },
    {
      path: "profile",
      label: "Profile",
      about: "The nodes that the stage runs.",
      kind: "choice",
      options: [
        "simple",
        ...known.profiles.flatMap((id) => (id.startsWith(`${stage}.`) ? id.slice(stage.length + 1) : [])),
      ],
      absent: planned?.profile || "simple",
    },
    {
      path: "mode",
      label: "Mode",
      about: "How several providers work.",
      kind: "choice",
      options: ["sequential", "parallel"],
      absent: planned?.mode ?? "sequential",
    },
    {
      path: "approval",
      label: "Approval",
      about: "A question to a person before the stage starts.",
      kind: "text",
      absent: "no approval needed",
    },
    { path: "when", label: "When", about: "The condition on which it runs.", kind: "text", absent: "always" },
    {
      path: "on_failure",
      label: "On failure",
      about: "What a failure does.",
      kind: "choice",
      options: ["stop", "continue", "retry"],
      absent: planned?.onFailure ?? "stop",
    },
  ];
  if (onFailure === "retry" || value("retries") !== undefined) {
    fields.push({
      path: "retries",
      label: "Retries",
      about: "How many more attempts a failure gets: 0 to 10.",
      kind: "number",
      absent: "3",
    });
  }
  fields.push(
    {
      path: "timeout",
      label: "Time-out",
      about: "How long one attempt may take, such as 30s or 10m.",
      kind: "text",
      absent: "none",
    },
    { path: "skills", label: "Skills", about: "Names with commas between them.", kind: "list", absent: "none" },
    ...optionFields(known.providers.find(({ name }) => name === provider)),
  );
  return fields.map((field) => ({ ...field, path: `${stage}.${field.path}` }));
}

const KINDS: Record<string, FormField["kind"]> = {
  string: "text",
  integer: "number",
  number: "number",
  boolean: "switch",
};

/** The options of a provider that are single values: those that its schema declares. */
function optionFields(provider: ProviderInfo | undefined): FormField[] {
  const schema = provider?.options;
  if (!isMap(schema) || !isMap(schema["properties"])) return [];
  return Object.entries(schema["properties"]).flatMap(([name, property]): FormField[] => {
    if (!isMap(property) || !/^[A-Za-z0-9_-]+$/.test(name)) return [];
    const types = [property["type"]].flat().filter((type) => type !== "null");
    const choices = Array.isArray(property["enum"]) ? property["enum"].filter((each) => typeof each === "string") : [];
    const kind = choices.length > 0 ? "choice" : types.length === 1 ? KINDS[String(types[0])] : undefined;
    if (kind === undefined) return [];
    const about = typeof property["description"] === "string" ? firstSentence(property["description"]) : "";
    const absent = "default" in property ? String(property["default"]) : "none";
    return [
      { path: `with.${name}`, label: name, about, kind, absent, ...(kind === "choice" ? { options: choices } : {}) },
    ];
  });
}

const firstSentence = (text: string): string => /^.*?[.:](?=\s|$)/s.exec(text)?.[0] ?? text;

/** The value of a field as a text: empty where the file does not have it, undefined where the form cannot hold it. */
export function shownValue(model: unknown, { path, kind }: FormField): string | undefined {
  const [section = "", ...rest] = path.split(".");
  let value: unknown = section === "workflow" ? sectionIn(model, section) : stageOf(model, section);
  for (const name of rest) {
    if (value === undefined || value === null) return "";
    if (!isMap(value)) return undefined;
    value = value[name];
  }
  if (value === undefined || value === null) return "";
  if (kind === "list") {
    if (!Array.isArray(value)) return undefined;
    const isPlain = value.every((item) => typeof item === "string" && !item.includes(","));
    return isPlain ? value.join(", ") : undefined;
  }
  const isScalar = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return isScalar && (kind !== "switch" || typeof value === "boolean") ? String(value) : undefined;
}

/** The edit that gives a field what was written in the form. */
export function editOf({ path, kind }: FormField, text: string): FieldEdit {
  const trimmed = text.trim();
  if (trimmed === "") return { path, remove: true };
  if (kind === "number" && /^-?\d+(\.\d+)?$/.test(trimmed)) return { path, value: Number(trimmed) };
  if (kind === "switch") return { path, value: trimmed === "true" };
  if (kind === "list")
    return {
      path,
      value: trimmed
        .split(",")
        .map((item) => item.trim())
        .filter(Boolean),
    };
  return { path, value: text };
}

/** The stages of a file in their order; undefined if it does not list them. */
export function stagesOf(model: unknown): string[] | undefined {
  const workflow = sectionIn(model, "workflow");
  const stages = isMap(workflow) ? workflow["stages"] : undefined;
  if (!Array.isArray(stages) || !stages.every((stage) => typeof stage === "string")) return undefined;
  return stages;
}

/** The edits that move a stage by a number of places, or remove it. */
export function moved(stages: string[], stage: string, by: number): FieldEdit[] {
  const to = stages.indexOf(stage) + by;
  if (to < 0 || to >= stages.length) return [];
  const others = stages.filter((each) => each !== stage);
  return [{ path: "workflow.stages", value: [...others.slice(0, to), stage, ...others.slice(to)] }];
}

export function removed(model: unknown, stages: string[], stage: string): FieldEdit[] {
  const list: FieldEdit = { path: "workflow.stages", value: stages.filter((each) => each !== stage) };
  return isMap(model) && stage in model ? [list, { path: stage, remove: true }] : [list];
}

export const nameOf = (model: unknown): string | undefined => {
  const workflow = sectionIn(model, "workflow");
  const name = isMap(workflow) ? workflow["name"] : undefined;
  return typeof name === "string" ? name : undefined;
};

const sectionIn = (model: unknown, name: string): unknown => (isMap(model) ? model[name] : undefined);

/** What the file says of a stage; a text is the name of its profile. */
function stageOf(model: unknown, stage: string): unknown {
  const own = sectionIn(model, stage);
  return typeof own === "string" ? { profile: own } : own;
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
