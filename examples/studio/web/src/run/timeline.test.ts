import type { Event, EventBody } from "workflow-client";
import { expect, test } from "vitest";

import { bars, costOf, failedPlace, rows, ticks, type Row, type Shape } from "./rows";
import { costsByProvider } from "./costs";
import { Timeline, type Item } from "./timeline";

const START = Date.parse("2026-11-29T12:00:00Z");

/** Events with numbers from 1 and a second between them. */
function log(...bodies: EventBody[]): Event[] {
  return bodies.map(
    (body, n) => ({ seq: n + 1, at: new Date(START + n * 1_000).toISOString(), v: 1, ...body }) as Event,
  );
}

const stage = (id: string, nodes = ["run"], lanes = 1): Shape["stages"][number] => ({
  id,
  profile: "simple",
  mode: "sequential",
  lanes: Array.from({ length: lanes }, () => ({ provider: "demo", role: null, weight: 1 })),
  nodes: nodes.map((id) => ({ id, type: "run" })),
  onFailure: "stop",
  asks: false,
});
const shape = (...stages: Shape["stages"]): Shape => ({ stages, loop: null });

const created: EventBody = { type: "run_created", data: { run: "r", workflow: "w", bundle: "b", seed: 1 } };
const started: EventBody = { type: "run_started" };
const stageStarted = (stage: string, iteration = 1): EventBody => ({
  type: "stage_started",
  data: { iteration, stage },
});
const attemptStarted = (path: string, attempt = 1): EventBody => ({
  type: "attempt_started",
  data: { path, attempt, provider: "demo" },
});
const succeeded = (path: string, attempt = 1, costUsd?: number): EventBody => ({
  type: "attempt_succeeded",
  data: { path, attempt, output: null, ...(costUsd === undefined ? {} : { usage: { costUsd } }) },
});
const failed = (path: string, attempt = 1, retryAt?: string): EventBody => ({
  type: "attempt_failed",
  data: { path, attempt, error: { class: "transient", message: "busy" }, retryAt: retryAt ?? null },
});

const outline = (found: Row[]) =>
  found.map((row) => `${"  ".repeat(row.level - 1)}${row.item.name} ${row.item.status} ${row.work.attempts.length}`);

test("a stage without a graph is one row with its attempts", () => {
  const timeline = Timeline.of(
    log(
      created,
      started,
      stageStarted("code"),
      attemptStarted("1/code[0]/run"),
      succeeded("1/code[0]/run"),
      {
        type: "stage_completed",
        data: { iteration: 1, stage: "code", outputOf: 0 },
      },
      { type: "run_completed", data: {} },
    ),
  );
  const found = rows(timeline, shape(stage("code")), new Set());
  expect(outline(found)).toEqual(["code completed 1"]);
  expect(timeline.endedAt).toBe(START + 6_000);
  expect(timeline.seq).toBe(7);
  expect(bars(found[0] as Row, 0).map(({ kind, from, to, tone }) => [kind, from - START, to - START, tone])).toEqual([
    ["attempt", 3_000, 4_000, "completed"],
  ]);
});

test("failed attempts stay, with the wait until the next one", () => {
  const path = "1/code[0]/run";
  const retryAt = new Date(START + 4_000).toISOString();
  const events = log(created, started, stageStarted("code"), attemptStarted(path), failed(path, 1, retryAt));
  const timeline = Timeline.of(events);
  expect(timeline.get(path)?.status).toBe("retrying");
  for (const event of log(created, started, started, started, started, attemptStarted(path, 2)).slice(5)) {
    timeline.apply(event);
  }
  const [row] = rows(timeline, shape(stage("code")), new Set());
  expect(timeline.get(path)?.status).toBe("running");
  expect(
    bars(row as Row, START + 9_000).map(({ kind, from, to, tone }) => [kind, from - START, to - START, tone]),
  ).toEqual([
    ["wait", 4_000, 5_000, "retrying"],
    ["attempt", 3_000, 4_000, "failed"],
    ["attempt", 5_000, 9_000, "running"],
  ]);
});

test("lanes, nodes and items have rows where there are several", () => {
  const timeline = Timeline.of(
    log(
      created,
      started,
      stageStarted("test"),
      { type: "lane_started", data: { iteration: 1, stage: "test", lane: 0, provider: "demo" } },
      { type: "node_started", data: { path: "1/test[0]/each", items: [1, 2, 3] } },
      attemptStarted("1/test[0]/each[0]"),
      attemptStarted("1/test[0]/each[1]"),
      { type: "lane_started", data: { iteration: 1, stage: "test", lane: 1, provider: "demo" } },
      { type: "node_skipped", data: { path: "1/test[1]/each" } },
      succeeded("1/test[0]/each[1]"),
    ),
  );
  expect(outline(rows(timeline, shape(stage("test", ["each", "sum"], 2)), new Set()))).toEqual([
    "test running 0",
    "  lane 1 running 0",
    "    each running 0",
    "      [0] running 1",
    "      [1] completed 1",
    "  lane 2 running 0",
    "    each skipped 0",
  ]);
  expect(timeline.get("1/test[0]/each")?.total).toBe(3);
  const closed = rows(timeline, shape(stage("test", ["each"], 2)), new Set(["1/test[0]"]));
  expect(closed.map((row) => row.item.place)).not.toContain("1/test[0]/each");
});

test("an iteration of a loop in a graph ends when the next one begins", () => {
  const timeline = Timeline.of(
    log(
      created,
      started,
      stageStarted("test"),
      { type: "lane_started", data: { iteration: 1, stage: "test", lane: 0, provider: "demo" } },
      { type: "node_started", data: { path: "1/test[0]/fix[0]", items: null } },
      attemptStarted("1/test[0]/fix[0]/check"),
      succeeded("1/test[0]/fix[0]/check"),
      { type: "node_started", data: { path: "1/test[0]/fix[1]", items: null } },
      attemptStarted("1/test[0]/fix[1]/check"),
    ),
  );
  expect(outline(rows(timeline, shape(stage("test", ["fix", "sum"], 1)), new Set()))).toEqual([
    "test running 0",
    "  fix running 0",
    "    [0] completed 0",
    "      check completed 1",
    "    [1] running 0",
    "      check running 1",
  ]);
});

test("iterations that ended are closed, and say how they ended", () => {
  const iteration = (number: number): EventBody[] => [
    stageStarted("code", number),
    attemptStarted(`${number}/code[0]/run`),
    succeeded(`${number}/code[0]/run`, 1, 0.25),
    { type: "stage_completed", data: { iteration: number, stage: "code" } },
  ];
  const ended: EventBody = { type: "iteration_ended", data: { iteration: 1, done: false, next: "code" } };
  const timeline = Timeline.of(log(created, started, ...iteration(1), ended, ...iteration(2)));
  const loop = { ...shape(stage("code")), loop: { maxIters: 3, stopWhen: "$.done" } };
  expect(outline(rows(timeline, loop, new Set()))).toEqual([
    "Iteration 1 completed 0",
    "Iteration 2 running 0",
    "  code completed 1",
  ]);
  expect(timeline.iterations[0]?.ended).toEqual({ done: false, next: "code" });
  expect(costOf(timeline.iterations[0] as never)).toEqual({ attempts: 1, costUsd: 0.25, unpriced: 0 });
  expect(rows(timeline, loop, new Set(["1"]))).toHaveLength(4);
});

test("a question is a wait of its place until it is answered", () => {
  const asked: EventBody = { type: "stage_asked", data: { iteration: 1, stage: "ship", question: "Ship?" } };
  const timeline = Timeline.of(log(created, started, asked));
  const [row] = rows(timeline, shape(stage("ship")), new Set());
  expect(row?.item.status).toBe("waiting");
  expect(bars(row as Row, START + 9_000).map((bar) => [bar.kind, bar.tone, bar.pause?.text])).toEqual([
    ["wait", "waiting", "Ship?"],
  ]);
  timeline.apply(
    log(created, created, created, { type: "answered", data: { control: 1, wait: 3, answer: true } })[3] as Event,
  );
  expect(timeline.get("1/ship")?.status).toBe("pending");
  expect(timeline.get("1/ship")?.pauses[0]?.to).toBe(START + 3_000);
});

test("nothing is under way when the run has ended", () => {
  const timeline = Timeline.of(
    log(
      created,
      started,
      stageStarted("code"),
      attemptStarted("1/code[0]/run"),
      {
        type: "attempt_cancelled",
        data: { path: "1/code[0]/run", attempt: 1 },
      },
      { type: "run_cancelled" },
    ),
  );
  expect(timeline.get("1/code")?.status).toBe("cancelled");
  expect(timeline.get("1/code[0]/run")?.attempts[0]?.outcome).toBe("cancelled");
  expect(timeline.iterations[0]?.status).toBe("cancelled");
});

test("the place of a failure is the innermost one", () => {
  const path = "1/code[0]/write";
  const error = { class: "permanent" as const, message: "no" };
  const timeline = Timeline.of(
    log(
      created,
      started,
      stageStarted("code"),
      attemptStarted(path),
      failed(path),
      {
        type: "stage_failed",
        data: { iteration: 1, stage: "code", error, continues: false },
      },
      { type: "run_failed", data: { error } },
    ),
  );
  expect(failedPlace(timeline)).toBe("1/code[0]/write");
  expect(failedPlace(Timeline.of([]))).toBeUndefined();
});

test("stages of finally are marked, and their failure is not the one that a person looks at first", () => {
  const error = { class: "permanent" as const, message: "no" };
  const stageFailed = (stage: string): EventBody => ({
    type: "stage_failed",
    data: { iteration: 1, stage, error, continues: false },
  });
  const events = (status: "failed" | "completed", ...before: EventBody[]) =>
    Timeline.of(
      log(
        created,
        started,
        ...before,
        { type: "run_ending", data: { status } },
        stageStarted("tidy"),
        attemptStarted("1/tidy[0]/run"),
        failed("1/tidy[0]/run"),
        stageFailed("tidy"),
        { type: "run_failed", data: { error } },
      ),
    );
  const code = [stageStarted("code"), attemptStarted("1/code[0]/run"), failed("1/code[0]/run"), stageFailed("code")];
  const timeline = events("failed", ...code);
  expect([timeline.get("1/code")?.isLast, timeline.get("1/tidy")?.isLast]).toEqual([false, true]);
  expect(failedPlace(timeline)).toBe("1/code[0]/run");
  expect(failedPlace(events("completed"))).toBe("1/tidy[0]/run");
});

test("a stage that is cancelled ends before those of finally begin", () => {
  const timeline = Timeline.of(
    log(
      created,
      started,
      stageStarted("code"),
      { type: "run_ending", data: { status: "cancelled" } },
      stageStarted("tidy"),
    ),
  );
  expect(timeline.get("1/code")?.status).toBe("cancelled");
  expect(timeline.iterations[0]?.status).toBe("running");
});

test("the marks of an axis are round and few", () => {
  expect(ticks(12_000, 6)).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000]);
  expect(ticks(0, 6)).toEqual([0]);
  for (const length of [1, 999, 65_000, 5e6, 1e9, 1e12]) expect(ticks(length, 8).length).toBeLessThanOrEqual(9);
});

test("what a run that a node has started used is a cost of the node", () => {
  const path = "1/plan[0]/run";
  const child = { path, attempt: 1, run: "c" };
  const timeline = Timeline.of(
    log(
      created,
      started,
      stageStarted("plan"),
      { type: "child_started", data: { ...child, workflow: "other" } },
      {
        type: "child_ended",
        data: { ...child, status: "completed", spent: { attempts: 3, costUsd: 0.5, unpriced: 1 } },
      },
      succeeded(path),
    ),
  );
  expect(costOf(timeline.get(path) as Item)).toEqual({ attempts: 3, costUsd: 0.5, unpriced: 1 });
  expect(Object.fromEntries(costsByProvider(timeline))).toEqual({
    "other workflows": { attempts: 3, costUsd: 0.5, unpriced: 1, tokens: null, uncounted: 0 },
  });
});
