import type { WorkflowDetail } from "../types.js";
import { present } from "./mapping.js";
import type { StageAssignment, WorkflowInfo } from "./shapes.js";

type Members = Record<string, unknown>;

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A workflow with the settings of its stages, as its file has them. */
export function infoOfFile({ id, model }: WorkflowDetail): WorkflowInfo {
  const file = isMembers(model) ? model : {};
  const { workflow: head, ...others } = file;
  const { name, description, stages, loop, isDefault, protected: isProtected } = isMembers(head) ? head : ({} as Members);
  // `code: simple` is short for a profile of that name.
  const configs = Object.entries(others).flatMap(([stage, config]) =>
    typeof config === "string" ? [[stage, { profile: config }]] : isMembers(config) ? [[stage, config]] : [],
  );
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

/** The YAML text of a workflow. What `file`, the former model, has and the app does not know is kept. */
export function textOfInfo(info: WorkflowInfo, file?: unknown): string {
  const former: Members = isMembers(file) ? file : {};
  const formerHead = isMembers(former["workflow"]) ? former["workflow"] : {};
  const { id: _, stageConfigs, ...known } = info;
  const head: Members = { ...formerHead, ...known };
  // Absent in the app means removed, for what it shows.
  for (const member of ["description", "loop", "isDefault", "protected"] as const) {
    if (info[member] === undefined) delete head[member];
  }
  const whole: Members = { workflow: head };
  for (const [stage, config] of Object.entries(stageConfigs ?? former)) {
    if (stage === "workflow" || (stageConfigs !== undefined && !info.stages.includes(stage))) continue;
    const before = former[stage];
    whole[stage] = isMembers(before) && isMembers(config) ? { ...before, ...config } : config;
  }
  return block(whole, "");
}

/** Members as block style YAML; scalars and lists as JSON, which is YAML too. */
function block(members: Members, indent: string): string {
  const lines = Object.entries(members).map(([key, value]) => {
    if (value === undefined) return "";
    const name = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key) && !/^(null|true|false|yes|no|on|off|y|n)$/i.test(key) ? key : JSON.stringify(key);
    if (isMembers(value) && Object.keys(value).length > 0) return `${indent}${name}:\n${block(value, `${indent}  `)}`;
    return `${indent}${name}: ${JSON.stringify(value)}\n`;
  });
  return lines.join("");
}
