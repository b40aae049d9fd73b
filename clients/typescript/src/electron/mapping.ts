import type { Event, LaneView, NodeView, RunRecord, RunView, StageView, WorkflowSummary } from "../types.js";
import type { ProviderResult, RunEvent, RunEventType, RunProgress, StageResult, WorkflowInfo, WorkflowRunDetail } from "./shapes.js";

/** The members that are neither null nor undefined. */
export function present<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(members).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}

export function workflowInfo(workflow: WorkflowSummary): WorkflowInfo {
  const { id, name, description, stages, loop } = workflow;
  return {
    id,
    name: name ?? id,
    stages,
    ...present({
      description,
      loop: loop
        ? { max_iters: loop.maxIters, fallback_next_stage: loop.fallbackNextStage ?? "", stop_when: loop.stopWhen ?? "" }
        : undefined,
      isDefault: workflow.isDefault || undefined,
      protected: workflow.protected || undefined,
    }),
  };
}

/** The progress of a run by its head, which is exact for a run that waits or has ended. */
export function progressOfHead(run: RunRecord): RunProgress {
  const { runId, workflowId, status, createdAt, progress } = run;
  return {
    runId,
    workflowId,
    currentStage: progress?.currentStage ?? "",
    currentIter: progress?.iteration ?? 0,
    status,
    createdAt,
    updatedAt: run.completedAt ?? run.startedAt ?? createdAt,
    stages: Object.entries(progress?.stages ?? {}).map(([name, stage]) => ({ name, status: stage })),
    completedNodes: [],
    ...present({ lastError: run.error?.message }),
  };
}

export function progressOfRun(run: RunView): RunProgress {
  const { runId, workflowId, status, createdAt, iteration } = run;
  const stages = Object.entries(run.context.stages);
  const times = stages.flatMap(([, stage]) => [stage.startedAt, stage.endedAt]);
  const known = [...times, run.completedAt, run.startedAt, createdAt].filter((time) => typeof time === "string");
  const latest = known.reduce((left, right) => (Date.parse(right) > Date.parse(left) ? right : left));
  return {
    runId,
    workflowId,
    currentStage: run.currentStage ?? "",
    currentIter: iteration,
    status,
    createdAt,
    updatedAt: latest,
    stages: stages.map(([name, stage]) => ({
      name,
      status: stage.status,
      ...present({ startTime: stage.startedAt, endTime: stage.endedAt }),
    })),
    completedNodes: stages.flatMap(([name, stage]) => completedNodes(name, stage)),
    ...present({ lastError: run.error?.message }),
  };
}

export function runDetail(run: RunView): WorkflowRunDetail {
  const stages = Object.entries(run.context.stages);
  return {
    ...progressOfRun(run),
    iteration: run.iteration,
    context: {
      vars: run.context.vars,
      stages: Object.fromEntries(stages.map(([name, { status, output }]) => [name, { status, output: output ?? null }])),
      iteration: run.iteration,
      runId: run.runId,
    },
    stageResults: Object.fromEntries(stages.map(([name, stage]) => [name, stageResult(name, stage, run.createdAt)])),
  };
}

function stageResult(name: string, stage: StageView, createdAt: string): StageResult {
  const retries = stage.results.map((lane) => Math.max(lane.attempts - 1, 0));
  return {
    stage: name,
    status: stage.status,
    retries: retries.reduce((sum, lane) => sum + lane, 0),
    startedAt: stage.startedAt ?? createdAt,
    providerResults: stage.results.map(providerResult),
    aggregationMethod: stage.results.length > 1 ? "multiple" : "single",
    ...present({ output: stage.output, error: stage.error?.message, completedAt: stage.endedAt }),
  };
}

function providerResult(lane: LaneView): ProviderResult {
  const { status, attempts, role, output } = lane;
  return { provider: lane.provider ?? "", status, attempts, ...present({ role, output, error: lane.error?.message }) };
}

function completedNodes(stage: string, view: StageView): string[] {
  const nodes: NodeView[] = view.results.flatMap((lane) => lane.nodes ?? []);
  return nodes.filter((node) => node.status === "completed").map((node) => `${stage}/${node.id}`);
}

/** An event of a run's log as the app knows it, if it does. */
export function runEvent(runId: string, event: Event): RunEvent | undefined {
  const make = (type: RunEventType, more: Partial<RunEvent> = {}): RunEvent => ({
    type,
    runId,
    seq: event.seq,
    timestamp: event.at,
    ...more,
  });
  switch (event.type) {
    case "run_created":
      return make("stateChange", { status: "pending" });
    case "run_started":
      return make("run_start", { status: "running" });
    case "run_resumed":
      return make("run_resume", { status: "running" });
    case "run_continued":
      return make("stateChange", { status: "running" });
    case "run_paused":
      return make("stateChange", { status: "paused" });
    case "run_waiting":
      return make("stateChange", {
        // A retry is a pause of a run that works.
        status: event.data.wait.reason === "retry" ? "running" : "paused",
        ...present({ question: event.data.wait.question }),
      });
    case "stage_started": {
      const { stage, iteration, lanes } = event.data;
      return make((lanes ?? 1) > 1 ? "stage_parallel_start" : "stage_start", { stage, iteration });
    }
    case "stage_skipped":
      return make("stage_end", { ...event.data, status: "skipped" });
    case "stage_completed":
      return make("stage_end", { stage: event.data.stage, iteration: event.data.iteration, status: "completed" });
    case "stage_failed": {
      const { stage, iteration, error } = event.data;
      return make("stage_end", { stage, iteration, status: "failed", error: error.message });
    }
    case "run_completed":
      return make("run_end", { status: "completed" });
    case "run_cancelled":
      return make("run_end", { status: "cancelled" });
    case "run_failed":
      return make("run_error", { status: "failed", error: event.data.error.message });
    default:
      return undefined;
  }
}
