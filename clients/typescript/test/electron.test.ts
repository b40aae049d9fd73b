import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test, type TestContext } from "node:test";

import { bindIpc, exposeIn, type BindOptions, type CodecafeApi, type RunEvent, type WorkflowInfo } from "../src/electron.js";
import { Client, ServiceFailure } from "../src/index.js";
import { end, event, FakeTransport, run, type Connection } from "./fake.js";
import { electron } from "./electron-objects.js";

/** The page's API over a main process whose service is the fake. */
function page(t: TestContext, transport: FakeTransport, options?: BindOptions): { api: CodecafeApi; close: () => void; window: EventEmitter } {
  const { ipcMain, ipcRenderer, contextBridge, world, window } = electron();
  const close = bindIpc(ipcMain, new Client(transport), options);
  t.after(close);
  exposeIn(contextBridge, ipcRenderer);
  return { api: world["codecafe"] as CodecafeApi, close, window };
}

const text = `workflow:
  name: Release
  stages: ["plan","code"]
`;

test("workflows are listed and read in the app's shape", async (t) => {
  const transport = new FakeTransport({
    "workflow:list": () => ({
      workflows: [
        {
          id: "release",
          name: "Release",
          description: null,
          stages: ["plan", "code"],
          loop: { maxIters: 3, fallbackNextStage: "code", stopWhen: "$.done == true" },
          isDefault: false,
          protected: true,
          lastRun: null,
          activeRuns: [],
          problem: null,
          problems: [],
        },
      ],
    }),
    "workflow:get": ({ id }) => {
      if (id === "other") throw new ServiceFailure("not_found", "there is no workflow other");
      const model = {
        workflow: { name: "Release", stages: ["plan", "code"], loop: { max_iters: 3 }, isDefault: true },
        plan: { provider: "codex", role: "planner", profile: "simple", retries: 2 },
        code: "simple",
      };
      return { id, origin: "file", text, version: "v1", protected: false, model, ranges: {} };
    },
  });
  const { api } = page(t, transport);
  assert.deepEqual(await api.workflow.list(), {
    success: true,
    data: [
      {
        id: "release",
        name: "Release",
        stages: ["plan", "code"],
        loop: { max_iters: 3, fallback_next_stage: "code", stop_when: "$.done == true" },
        protected: true,
      },
    ],
  });
  assert.deepEqual(await api.workflow.get("release"), {
    success: true,
    data: {
      id: "release",
      name: "Release",
      stages: ["plan", "code"],
      loop: { max_iters: 3 },
      isDefault: true,
      stageConfigs: {
        plan: { provider: "codex", role: "planner", profile: "simple", retries: 2 },
        code: { profile: "simple" },
      },
    },
  });
  assert.deepEqual(await api.workflow.get("other"), { success: true, data: null });
});

test("an update edits the fields that changed, and names the version that it replaces", async (t) => {
  const model = {
    workflow: {
      name: "Old",
      description: "gone",
      stages: ["plan", "code", "removed"],
      budget: { cost_usd: 5 },
      loop: { max_iters: 3, stop_when: "$.done == true", on_exhausted: "complete" },
    },
    plan: { provider: "codex", when: "$.vars.x == 1", retries: 2, skills: ["lists"] },
    code: "simple",
    removed: { provider: "codex" },
  };
  const transport = new FakeTransport({
    "workflow:get": ({ id }) => ({ id, origin: "file", text, version: "v1", protected: false, model, ranges: {} }),
    "workflow:update": ({ id }) => ({ id, origin: "file", text, version: "v2", protected: false }),
  });
  const { api } = page(t, transport);
  const edits = async (info: WorkflowInfo) => {
    transport.calls.length = 0;
    assert.equal((await api.workflow.update(info)).success, true);
    return transport.calls.filter(([operation]) => operation === "workflow:update").map(([, request]) => request);
  };
  const shown = (await api.workflow.get("release")).data!;
  assert.deepEqual(await edits(shown), [], "nothing changed, so nothing is written");
  assert.deepEqual(
    await edits({
      id: "release",
      name: "New: #1",
      stages: ["plan", "code", "on"],
      loop: { max_iters: 4, fallback_next_stage: "", stop_when: "$.done == true" },
      stageConfigs: {
        plan: { provider: "gemini", skills: ["lists"] },
        code: { profile: "simple", role: "coder" },
        on: { provider: "codex", prompt: "a\nb" },
      },
    }),
    [
      {
        id: "release",
        version: "v1",
        edits: [
          { path: "workflow.name", value: "New: #1" },
          { path: "workflow.stages", value: ["plan", "code", "on"] },
          { path: "workflow.description", remove: true },
          { path: "workflow.loop.max_iters", value: 4 },
          { path: "removed", remove: true },
          { path: "plan.provider", value: "gemini" },
          { path: "plan.retries", remove: true },
          { path: "code.role", value: "coder" },
          { path: "on.provider", value: "codex" },
          { path: "on.prompt", value: "a\nb" },
        ],
      },
    ],
  );
  const { stageConfigs: _, ...listed } = shown;
  assert.deepEqual(await edits({ ...listed, loop: { max_iters: 3, fallback_next_stage: "", stop_when: "$.done == true" } }), []);
  const { loop: __, ...once } = listed;
  assert.deepEqual(await edits(once), [{ id: "release", version: "v1", edits: [{ path: "workflow.loop", remove: true }] }]);
});

test("runs are started with the app's options, and those that the service lacks are refused", async (t) => {
  const transport = new FakeTransport({ "workflow:run": () => ({ runId: "r1" }) });
  const { api } = page(t, transport);
  assert.deepEqual(await api.workflow.run("release", { vars: { a: 1 }, on_failure: "retry", interactive: true, mode: "headless", max_iters: 3 }), {
    success: true,
    data: { runId: "r1" },
  });
  const request = { id: "release", vars: { a: 1 }, interactive: true, onFailure: "retry", maxIters: 3 };
  assert.deepEqual(transport.calls.at(-1), ["workflow:run", request]);
  assert.equal((await api.workflow.run("release", { mode: "assisted" })).error?.code, "not_supported");
});

test("a run's progress and detail have the app's members", async (t) => {
  const { api } = page(t, new FakeTransport({ "workflow:runs:get": () => ({ run }) }));
  const progress = {
    runId: "r1",
    workflowId: "release",
    currentStage: "",
    currentIter: 2,
    status: "failed",
    createdAt: "2026-01-02T03:00:00Z",
    updatedAt: "2026-01-02T03:09:00Z",
    stages: [
      { name: "plan", status: "completed", startTime: "2026-01-02T03:00:02Z", endTime: "2026-01-02T03:01:00Z" },
      { name: "code", status: "failed", startTime: "2026-01-02T03:01:01Z", endTime: "2026-01-02T03:08:00Z" },
    ],
    completedNodes: ["plan/draft"],
    lastError: "no such model",
  };
  assert.deepEqual(await api.run.getStatus("r1"), { success: true, data: progress });
  assert.deepEqual(await api.run.getDetail("r1"), {
    success: true,
    data: {
      ...progress,
      iteration: 2,
      context: {
        vars: { feature: "search" },
        stages: { plan: { status: "completed", output: "three steps" }, code: { status: "failed", output: null } },
        iteration: 2,
        runId: "r1",
      },
      stageResults: {
        plan: {
          stage: "plan",
          status: "completed",
          output: "three steps",
          retries: 1,
          startedAt: "2026-01-02T03:00:02Z",
          completedAt: "2026-01-02T03:01:00Z",
          providerResults: [
            { provider: "claude-code", role: "planner", status: "completed", output: "three steps", attempts: 2 },
          ],
          aggregationMethod: "single",
        },
        code: {
          stage: "code",
          status: "failed",
          error: "no such model",
          retries: 0,
          startedAt: "2026-01-02T03:01:01Z",
          completedAt: "2026-01-02T03:08:00Z",
          providerResults: [
            { provider: "codex", status: "failed", error: "no such model", attempts: 1 },
            { provider: "gemini", status: "cancelled", attempts: 1 },
          ],
          aggregationMethod: "multiple",
        },
      },
    },
  });
});

test("of runs that are under way the list has what their events say", async (t) => {
  const head = { workflowId: "release", bundle: "0", createdAt: "2026-01-02T03:00:00Z" };
  const progress = { iteration: 1, currentStage: "plan", spent: run.spent!, stages: { plan: "waiting" as const } };
  const transport = new FakeTransport({
    "workflow:runs:list": () => ({
      runs: [
        { ...head, runId: "r2", status: "paused", progress },
        { ...head, runId: "r1", status: "running" },
      ],
    }),
    "workflow:runs:get": () => ({ run: { ...run, status: "running", currentStage: "code", completedAt: null } }),
  });
  const runs = (await page(t, transport).api.run.list()).data ?? [];
  assert.deepEqual(
    runs.map(({ runId, status, currentStage, currentIter, stages }) => [runId, status, currentStage, currentIter, stages?.length]),
    [
      ["r2", "paused", "plan", 1, 1],
      ["r1", "running", "code", 2, 2],
    ],
  );
  assert.equal(transport.calls.filter(([operation]) => operation === "workflow:runs:get").length, 1);
});

test("controls are passed on, and failures have the service's code and details", async (t) => {
  const transport = new FakeTransport({
    "workflow:runs:pause": () => ({}),
    "workflow:runs:resume": () => ({}),
    "workflow:runs:cancel": () => {
      throw new ServiceFailure("refused", "it has ended", { details: { refusal: "ended" } });
    },
  });
  const { api } = page(t, transport);
  assert.deepEqual(await api.run.pause("r1"), { success: true, data: undefined });
  assert.deepEqual(await api.run.resume("r1"), { success: true, data: undefined });
  const error = { code: "refused", message: "it has ended", details: { refusal: "ended" } };
  assert.deepEqual(await api.run.cancel("r1"), { success: false, error });
  assert.deepEqual(transport.calls.slice(1).map(([name]) => name), [
    "workflow:runs:pause",
    "workflow:runs:resume",
    "workflow:runs:cancel",
  ]);
});

test("every function of the page has a channel in the main process", async (t) => {
  const { ipcMain, ipcRenderer, contextBridge, world } = electron();
  t.after(bindIpc(ipcMain, new Client(new FakeTransport())));
  exposeIn(contextBridge, ipcRenderer);
  const functions = (api: unknown): ((...args: unknown[]) => unknown)[] =>
    typeof api === "function" ? [api as () => unknown] : Object.values(api as object).flatMap(functions);
  const all = functions(world["codecafe"]);
  assert.ok(all.length > 25);
  // A channel without a handler rejects, as Electron's does.
  for (const call of all) await call(() => {});
});

test("a page that may not call is refused", async (t) => {
  const { api } = page(t, new FakeTransport(), { isAllowed: () => false });
  assert.equal((await api.workflow.list()).error?.code, "forbidden");
});

test("listeners get the events of all runs from now on", async (t) => {
  const head = { workflowId: "w", bundle: "0", labels: {} };
  const started = { stage: "plan", iteration: 1 };
  const transport = new FakeTransport({}, [
    {
      batches: [
        [
          { type: "workflow-run:head", run: { ...head, runId: "old", status: "failed", createdAt: "2020-01-01T00:00:00Z" } },
          { type: "workflow-run:head", run: { ...head, runId: "r1", status: "running", createdAt: "2020-01-01T00:00:00Z" } },
        ],
      ],
      open: true,
    },
    {
      batches: [
        [
          // Before a window listened.
          { ...event(1), event: { seq: 1, at: "2020-01-01T00:00:00Z", v: 1, type: "run_started" } } as ReturnType<typeof event>,
          event(2, { type: "stage_started", data: started }),
          event(3, { type: "stage_started", data: { ...started, stage: "code", lanes: 2 } }),
          event(4, { type: "attempt_started", data: { path: "1/code[0]/main", attempt: 1, provider: "codex" } }),
          event(5, { type: "run_waiting", data: { wait: { reason: "approval", question: "Ship it?" } } }),
          event(6, { type: "stage_failed", data: { ...started, continues: false, error: { class: "permanent", message: "no" } } }),
          event(7, { type: "run_failed", data: { error: { class: "permanent", message: "no" } } }),
          end(7),
        ],
      ],
    },
  ]);
  const { api, window } = page(t, transport);
  const events: RunEvent[] = [];
  const stop = await new Promise<() => void>((resolve) => {
    const unsubscribe = api.run.onEvent((event) => {
      events.push(event);
      if (event.type === "run_error") resolve(unsubscribe);
    });
  });
  const at = "2999-01-02T03:04:05Z";
  assert.deepEqual(events, [
    { type: "stage_start", runId: "r1", seq: 2, timestamp: at, stage: "plan", iteration: 1 },
    { type: "stage_parallel_start", runId: "r1", seq: 3, timestamp: at, stage: "code", iteration: 1 },
    { type: "stateChange", runId: "r1", seq: 5, timestamp: at, status: "paused", question: "Ship it?" },
    { type: "stage_end", runId: "r1", seq: 6, timestamp: at, stage: "plan", iteration: 1, status: "failed", error: "no" },
    { type: "run_error", runId: "r1", seq: 7, timestamp: at, status: "failed", error: "no" },
  ]);
  assert.deepEqual(transport.subscriptions.map(({ heads, runs }) => [heads, runs?.map(({ runId }) => runId)]), [
    [true, []],
    [false, ["r1"]],
  ]);
  assert.equal(window.listenerCount("run:event"), 1);
  stop();
  stop();
  assert.equal(window.listenerCount("run:event"), 0);
});

test("a page that listens again after the stream has failed gets events again", async (t) => {
  const refused = { batches: [], failure: new ServiceFailure("forbidden", "not now") };
  const run = { workflowId: "w", bundle: "0", labels: {}, runId: "r1", status: "running", createdAt: "2020-01-01T00:00:00Z" } as const;
  const heads = { batches: [[{ type: "workflow-run:head", run }]], open: true } as Connection;
  const transport = new FakeTransport({}, [refused, heads, { batches: [[event(1), end(1)]] }]);
  const failures: unknown[] = [];
  const { api } = page(t, transport, { onFailure: (failure) => failures.push(failure) });
  const stop = api.run.onEvent(() => {});
  while (failures.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop();
  const found = await new Promise<RunEvent>((resolve) => void api.run.onEvent(resolve));
  assert.deepEqual([found.type, failures.length], ["run_start", 1]);
});
