import type { FieldEdit, WorkflowDetail } from "../types.js";
import { present } from "./mapping.js";
import type { StageAssignment, WorkflowInfo } from "./shapes.js";
import { isMembers, isSame, yaml, type Members } from "./yaml.js";

/** What the app shows of a workflow beside its stages. */
const HEAD = ["name", "description", "stages", "isDefault", "protected"] as const;
/** What the app shows of a loop. */
const LOOP = ["max_iters", "fallback_next_stage", "stop_when"];
/** What the app shows of a stage. */
const STAGE: readonly (keyof StageAssignment)[] = [
  "provider",
  "role",
  "profile",
  "mode",
  "providers",
  "parallel_strategy",
  "on_failure",
  "retries",
  "retry_backoff",
  "min_iterations",
  "skills",
  "prompt",
];

/** The settings of a stage; `code: simple` is short for a profile of that name. */
function stageConfig(config: unknown): Members | undefined {
  if (typeof config === "string") return { profile: config };
  return isMembers(config) ? config : undefined;
}

/** A workflow with the settings of its stages, as its file has them. */
export function infoOfFile({ id, model }: Pick<WorkflowDetail, "id" | "model">): WorkflowInfo {
  const file = isMembers(model) ? model : {};
  const { workflow: head, ...others } = file;
  const { name, description, stages, loop, isDefault, protected: isProtected } = isMembers(head) ? head : ({} as Members);
  const configs = Object.entries(others).flatMap(([stage, value]) => {
    const config = stageConfig(value);
    return config === undefined ? [] : [[stage, config]];
  });
  return {
    id,
    name: typeof name === "string" ? name : id,
    stages: Array.isArray(stages) ? stages.map(String) : [],
    stageConfigs: Object.fromEntries(configs) as Record<string, StageAssignment>,
    ...present({
      description: typeof description === "string" ? description : undefined,
      loop: isMembers(loop) ? (loop as unknown as NonNullable<WorkflowInfo["loop"]>) : undefined,
      isDefault: isDefault === true || undefined,
      protected: isProtected === true || undefined,
    }),
  };
}

/** The YAML text of a new workflow. */
export function textOfInfo({ id: _, stageConfigs, ...head }: WorkflowInfo): string {
  return yaml({ workflow: head, ...stageConfigs });
}

/**
 * The edits that turn the file of a workflow into what the app shows. What the app does not know stays; what it shows
 * and leaves out is removed.
 */
export function editsOf(info: WorkflowInfo, model: unknown): FieldEdit[] {
  const file = isMembers(model) ? model : {};
  const head = isMembers(file["workflow"]) ? file["workflow"] : {};
  const formerStages = Array.isArray(head["stages"]) ? head["stages"].map(String) : [];
  const edits = fieldEdits("workflow", shownHead(info), shownHead({ ...head, id: info.id }), HEAD);
  const { loop, stageConfigs } = info;
  const formerLoop = isMembers(head["loop"]) ? head["loop"] : undefined;
  // The lists of the app have an empty text for what the file leaves out.
  const given = loop && Object.fromEntries(Object.entries(loop).filter(([key, value]) => value !== "" || formerLoop?.[key] !== undefined));
  if (given !== undefined && formerLoop !== undefined) edits.push(...fieldEdits("workflow.loop", given, formerLoop, LOOP));
  else edits.push(...fieldEdits("workflow", { loop: given }, { loop: formerLoop }, ["loop"]));
  for (const stage of Object.keys(file)) {
    const isGone = formerStages.includes(stage) && !info.stages.includes(stage);
    const isCleared = stageConfigs !== undefined && info.stages.includes(stage) && stageConfigs[stage] === undefined;
    if (stage !== "workflow" && (isGone || isCleared)) edits.push({ path: stage, remove: true });
  }
  for (const [stage, config] of Object.entries(stageConfigs ?? {})) {
    if (info.stages.includes(stage)) edits.push(...fieldEdits(stage, config as Members, stageConfig(file[stage]) ?? {}, STAGE));
  }
  return edits;
}

/** The name, and the flags that are not set, are the same as absent ones. */
function shownHead(head: { [K in keyof WorkflowInfo]?: unknown }): Members {
  const { id, name = id, description, stages, isDefault, protected: isProtected } = head;
  return { name, description, stages, isDefault: isDefault || undefined, protected: isProtected || undefined };
}

/** The edits of the members of one mapping: those that are given, and the removal of those that are `shown` and are not. */
function fieldEdits(path: string, given: Members, former: Members, shown: readonly string[]): FieldEdit[] {
  const changed = Object.keys(given).filter((key) => given[key] !== undefined && !isSame(given[key], former[key]));
  const removed = shown.filter((key) => given[key] === undefined && former[key] !== undefined);
  return [
    ...changed.map((key): FieldEdit => ({ path: `${path}.${key}`, value: given[key] })),
    ...removed.map((key): FieldEdit => ({ path: `${path}.${key}`, remove: true })),
  ];
}
