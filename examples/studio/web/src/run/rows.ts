import type { RunPlan } from "workflow-client";

import { parsePlace } from "../address";
import type { Attempt, Item, Pause, Timeline } from "./timeline";

/** A visible row of the timeline. */
export interface Row {
  item: Item;
  /** The node whose attempts the row shows: its own, or the only one of a stage without a graph. */
  work: Item;
  level: number;
  isOpen: boolean;
  hasChildren: boolean;
  /** Its position among its siblings, from 1, and how many there are. */
  position: number;
  siblings: number;
}

/** What of the plan decides which levels have rows of their own. */
export type Shape = Pick<RunPlan, "stages" | "loop">;

/**
 * The rows of a timeline, from the outermost level that says something: an iteration where there can be several, a lane
 * where a stage has several, a node where a stage has a graph. `toggled` has the places that are open or closed in
 * contrast to what they are by themselves: iterations that ended and items of nodes are closed.
 */
export function rows(timeline: Timeline, shape: Shape | undefined, toggled: ReadonlySet<string>): Row[] {
  const found: Row[] = [];
  const isLoop = (shape?.loop ?? null) !== null || timeline.iterations.length > 1;
  const add = (items: Item[], level: number) => {
    items.forEach((item, index) => {
      const work = workOf(item, shape);
      const inner = work === item ? childrenOf(item, shape) : work.children;
      const isOpen = inner.length > 0 && toggled.has(item.place) !== isOpenByItself(item, timeline);
      const hasChildren = inner.length > 0;
      found.push({ item, work, level, isOpen, hasChildren, position: index + 1, siblings: items.length });
      if (isOpen) add(inner, level + 1);
    });
  };
  add(isLoop ? timeline.iterations : (timeline.iterations[0]?.children ?? []), 1);
  return found;
}

function isOpenByItself(item: Item, timeline: Timeline): boolean {
  if (item.kind === "iteration") return item === timeline.iterations.at(-1);
  if (item.kind === "node" || item.kind === "item") return item.status === "failed" || item.children.length <= 12;
  return true;
}

/** The only node of a stage or lane without a graph, or the item itself. */
function workOf(item: Item, shape: Shape | undefined): Item {
  const lane = item.kind === "stage" && isSingle(item, shape) ? item.children[0] : item;
  if (lane?.kind !== "lane") return lane ?? item;
  const plan = shape?.stages.find((stage) => stage.id === parsePlace(lane.place)?.stage);
  const only = lane.children.length === 1 ? lane.children[0] : undefined;
  const isPlain = plan === undefined ? only?.name === "run" : plan.nodes.length === 1;
  return only !== undefined && isPlain ? only : item;
}

function childrenOf(item: Item, shape: Shape | undefined): Item[] {
  if (item.kind === "stage" && isSingle(item, shape)) return item.children[0]?.children ?? [];
  return item.children;
}

function isSingle(stage: Item, shape: Shape | undefined): boolean {
  const plan = shape?.stages.find((planned) => planned.id === stage.name);
  return stage.children.length <= 1 && (plan?.lanes.length ?? 1) <= 1;
}

/** A bar on the axis. */
export interface Bar {
  key: string;
  kind: "attempt" | "wait" | "queue" | "whole" | "skip";
  from: number;
  to: number;
  tone: string;
  attempt: Attempt | undefined;
  pause: Pause | undefined;
}

/** The bars of a row: its attempts and waits, or its whole time where it has parts with rows of their own. */
export function bars(row: Row, now: number): Bar[] {
  const { item, work } = row;
  if (item.status === "skipped") {
    const at = item.from ?? now;
    return [bar("skip", "skip", at, at, "skipped")];
  }
  const found: Bar[] = [];
  if (work.attempts.length === 0 && item.from !== undefined && item.pauses.every((pause) => pause.to !== undefined)) {
    found.push(bar("whole", "whole", item.from, item.to ?? now, item.status));
  }
  const pauses = work === item ? item.pauses : [...item.pauses, ...work.pauses];
  for (const pause of pauses) {
    const kind = pause.reason === "queue" ? "queue" : "wait";
    const tone = {
      queue: "queued",
      quota: "quota",
      retry: "retrying",
      pause: "paused",
      timer: "paused",
      signal: "paused",
      child: "paused",
    }[pause.reason as string];
    found.push({ ...bar(`w${pause.from}`, kind, pause.from, pause.to ?? now, tone ?? "waiting"), pause });
  }
  for (const attempt of work.attempts) {
    const tone = attempt.outcome === "succeeded" ? "completed" : attempt.outcome;
    const shown = tone === "interrupted" ? "cancelled" : tone;
    found.push({ ...bar(`a${attempt.number}`, "attempt", attempt.from, attempt.to ?? now, shown), attempt });
  }
  return found;
}

function bar(key: string, kind: Bar["kind"], from: number, to: number, tone: string): Bar {
  return { key, kind, from, to: Math.max(from, to), tone, attempt: undefined, pause: undefined };
}

/** What the attempts of an item and of all its parts cost, with the runs that they have started. */
export function costOf(item: Item): { attempts: number; costUsd: number | null; unpriced: number } {
  const sum = { attempts: 0, costUsd: null as number | null, unpriced: 0 };
  const add = (part: Item) => {
    for (const attempt of part.attempts) {
      if (attempt.outcome === "running") continue;
      sum.attempts += 1;
      const known = attempt.usage?.costUsd ?? null;
      if (known === null) sum.unpriced += 1;
      else sum.costUsd = (sum.costUsd ?? 0) + known;
    }
    for (const { attempts, costUsd, unpriced } of part.used) {
      sum.attempts += attempts;
      sum.unpriced += unpriced ?? 0;
      if (costUsd !== undefined && costUsd !== null) sum.costUsd = (sum.costUsd ?? 0) + costUsd;
    }
    part.children.forEach(add);
  };
  add(item);
  return sum;
}

/** The attempts of an item and of all its parts. */
export function attemptsOf(item: Item): { place: string; attempt: Attempt }[] {
  return [...item.attempts.map((attempt) => ({ place: item.place, attempt })), ...item.children.flatMap(attemptsOf)];
}

/**
 * The deepest item that failed, of the latest failure: where a person looks first. A stage of `finally` counts only if no
 * stage before made the run fail.
 */
export function failedPlace(timeline: Timeline): string | undefined {
  let items = timeline.iterations;
  let place: string | undefined;
  for (;;) {
    const isWell = timeline.ending === undefined || timeline.ending === "completed";
    const failed =
      items.findLast((item) => item.status === "failed" && (isWell || !item.isLast)) ??
      items.findLast((item) => item.status === "failed");
    if (failed === undefined) return place;
    place = failed.place;
    items = failed.children;
  }
}

/** Round marks for an axis of that length: at most `most`, in milliseconds from its start. */
export function ticks(length: number, most: number): number[] {
  const units = [1, 2, 5, 10, 20, 50, 100, 200, 500].map((ms) => ms);
  const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400];
  const steps = [...units, ...seconds.map((s) => s * 1_000)];
  const step = steps.find((step) => length / step <= most) ?? 86_400_000 * Math.ceil(length / most / 86_400_000);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, n) => n * step);
}
