import type { GraphBox, GraphLine, LineKind, StageStatus, WorkflowGraph } from "workflow-client";

import type { Item, Timeline } from "../run/timeline";
import { layout, type Place } from "./layout";

/** A box with its place. */
export interface Node extends Place {
  box: GraphBox;
  before: string[];
  behind: string[];
}

/** A line between two boxes. */
export interface Line {
  from: string;
  to: string;
  kind: LineKind | "within";
  label: string | undefined;
}

/** A workflow as it is drawn: the nodes of a stage are between it and what follows it. */
export interface Graph {
  nodes: Map<string, Node>;
  lines: Line[];
  width: number;
  height: number;
  /** Whether lines lead down instead of to the right. */
  isDown: boolean;
}

export function graphOf({ boxes, lines }: WorkflowGraph, isDown = false): Graph {
  const within = new Map<string, GraphBox[]>();
  for (const box of boxes) {
    if (box.stage) within.set(box.stage, [...(within.get(box.stage) ?? []), box]);
  }
  const [isTarget, isSource] = [new Set<string>(), new Set<string>()];
  for (const line of lines) {
    if (!isInner(line)) continue;
    isTarget.add(line.to);
    isSource.add(line.from);
  }
  const drawn: Line[] = [];
  for (const { from, to, kind, label } of lines) {
    const ends = kind === "next" ? (within.get(from) ?? []).filter(({ id }) => !isSource.has(id)) : [];
    const starts = ends.length > 0 ? ends.map(({ id }) => id) : [from];
    for (const start of starts) drawn.push({ from: start, to, kind, label: label ?? undefined });
  }
  for (const [stage, nodes] of within) {
    const first = nodes.filter(({ id }) => !isTarget.has(id));
    for (const { id } of first) drawn.push({ from: stage, to: id, kind: "within", label: undefined });
  }
  const ahead = drawn.filter(({ kind, from, to }) => kind !== "loop" && from !== to);
  const begun = performance.now();
  const places = layout({ ids: boxes.map(({ id }) => id), lines: ahead, isDown });
  performance.measure("graph-layout", { start: begun, end: performance.now() });
  const nodes = new Map<string, Node>();
  for (const box of boxes) {
    const place = places.get(box.id) ?? { x: 0, y: 0, column: 0, index: 0 };
    nodes.set(box.id, { box, ...place, before: [], behind: [] });
  }
  for (const { from, to } of ahead) {
    nodes.get(from)?.behind.push(to);
    nodes.get(to)?.before.push(from);
  }
  const all = [...nodes.values()];
  return {
    nodes,
    lines: drawn,
    width: Math.max(0, ...all.map(({ x }) => x)),
    height: Math.max(0, ...all.map(({ y }) => y)),
    isDown,
  };
}

const isInner = ({ kind }: GraphLine): boolean => kind === "needs" || kind === "arm";

/** What a run has made of a box: in its latest iteration that has come to it. */
export interface Course {
  status: StageStatus;
  /** The place of it in the run. */
  place: string;
  /** Of a `foreach` node: how many of its items have ended. */
  items: string | undefined;
  attempts: number;
}

/** The statuses in the order in which one stands for several lanes. */
const ORDER: StageStatus[] = [
  "failed",
  "waiting",
  "retrying",
  "running",
  "queued",
  "cancelled",
  "completed",
  "skipped",
];

export function courseOf(timeline: Timeline, box: GraphBox): Course | undefined {
  const [stage = "", node] = box.id.split("/");
  for (let n = timeline.iterations.length - 1; n >= 0; n -= 1) {
    const found = timeline.iterations[n]?.children.find((item) => item.name === stage);
    if (found === undefined) continue;
    if (node === undefined) return course([found]);
    const nodes = found.children.flatMap((lane) => lane.children.filter((item) => item.name === node));
    return nodes.length === 0 ? undefined : course(nodes);
  }
  return undefined;
}

function course(items: Item[]): Course | undefined {
  const worst = [...items].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status))[0];
  if (worst === undefined) return undefined;
  const total = items.reduce((sum, item) => sum + (item.total ?? 0), 0);
  const of = (status: StageStatus) =>
    items.reduce((sum, item) => sum + item.children.filter((child) => child.status === status).length, 0);
  const failed = of("failed") > 0 ? `, ${of("failed")} failed` : "";
  return {
    status: worst.status,
    place: worst.place,
    items: total > 0 ? `${of("completed")}/${total}${failed}` : undefined,
    attempts: Math.max(0, ...items.map((item) => item.attempts.length)),
  };
}
