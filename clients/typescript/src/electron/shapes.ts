/** What the renderer of the desktop app gets from every call. */
export interface IpcResponse<T> {
  success: boolean;
  data?: T;
  error?: { code: string; message: string; details?: unknown };
}

/** Who works on a stage. What the file leaves out is absent, and comes from the assignments. */
export interface StageAssignment {
  provider?: string;
  role?: string;
  profile?: string;
  mode?: string;
  providers?: { provider: string; role?: string; weight?: number }[];
  parallel_strategy?: string;
  on_failure?: string;
  retries?: number;
  retry_backoff?: number;
  min_iterations?: number;
  skills?: string[];
  prompt?: string;
}

export interface WorkflowInfo {
  id: string;
  name: string;
  description?: string;
  stages: string[];
  stageConfigs?: Record<string, StageAssignment>;
  loop?: { max_iters: number; fallback_next_stage: string; stop_when: string };
  isDefault?: boolean;
  protected?: boolean;
}

export interface RunOptions {
  vars?: Record<string, unknown>;
  mode?: string;
  interactive?: boolean;
  on_failure?: "stop" | "continue" | "retry";
  max_iters?: number;
}

export interface RunProgress {
  runId: string;
  workflowId: string;
  /** The stage that is under way; empty when none is. */
  currentStage: string;
  currentIter: number;
  status: string;
  createdAt: string;
  updatedAt: string;
  stages?: { name: string; status: string; startTime?: string; endTime?: string }[];
  /** The nodes of stages with a graph that have succeeded, as `stage/node`. */
  completedNodes: string[];
  lastError?: string;
}

export interface ProviderResult {
  provider: string;
  role?: string;
  status: string;
  output?: unknown;
  error?: string;
  attempts: number;
}

export interface StageResult {
  stage: string;
  status: string;
  output?: unknown;
  error?: string;
  retries: number;
  startedAt: string;
  completedAt?: string;
  providerResults?: ProviderResult[];
  /** `single` for one provider, `multiple` for several: their strategy is in the workflow. */
  aggregationMethod?: string;
}

export interface WorkflowRunDetail extends RunProgress {
  iteration: number;
  context: { vars: Record<string, unknown>; stages: Record<string, unknown>; iteration: number; runId: string };
  stageResults: Record<string, StageResult>;
}

export interface RunLogEntry {
  type: string;
  message: string;
  timestamp: string;
  stage?: string;
  nodeId?: string;
}

/** A profile of a stage: its file, with the two that name it. */
export interface ProfileInfo {
  id: string;
  stage?: string;
  graph?: unknown;
  [member: string]: unknown;
}

/** A role: its front matter, and its template where one role is read. */
export interface RoleInfo {
  id: string;
  name: string;
  /** Where it was read from, for people. */
  origin: string;
  body?: string;
  [member: string]: unknown;
}

/** A skill of the app. Of a skill that is a Markdown file, what it does not say is as in a new one. */
export interface SkillInfo {
  id: string;
  name: string;
  description: string;
  category: string;
  skillCommand: string;
  context: string;
  instructions: string;
  isBuiltIn?: boolean;
  createdAt?: string;
  updatedAt?: string;
  [member: string]: unknown;
}

export interface ProviderInfo {
  id: string;
  name: string;
  /** Whether stages that name no provider use it. */
  isDefault: boolean;
}

export type RunEventType =
  | "stateChange"
  | "run_start"
  | "run_resume"
  | "stage_start"
  | "stage_parallel_start"
  | "stage_end"
  | "run_end"
  | "run_error";

/** What listeners of `run.onEvent` get. */
export interface RunEvent {
  type: RunEventType;
  runId: string;
  /** The number of the event in the run's log. */
  seq: number;
  timestamp: string;
  stage?: string;
  iteration?: number;
  /** The run's status, of the events that change it. */
  status?: string;
  /** What a person is asked, of a run that waits for one. */
  question?: string;
  error?: string;
}
