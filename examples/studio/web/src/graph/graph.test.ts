import type { GraphBox, GraphLine } from "workflow-client";
import { expect, test } from "vitest";

import { graphOf } from "./graph";
import { BOX, layout } from "./layout";

const box = (id: string): GraphBox => ({
  id,
  kind: id.includes("/") ? "node" : "stage",
  ...(id.includes("/") ? { stage: id.split("/")[0] as string } : {}),
  label: id,
  notes: [],
});
const line = (from: string, to: string, kind: GraphLine["kind"]): GraphLine => ({ from, to, kind });

test("the nodes of a stage are between it and what follows it", () => {
  const graph = graphOf({
    name: "w",
    boxes: ["a", "a/x", "a/y", "a/z", "b"].map(box),
    lines: [line("a", "b", "next"), line("a/x", "a/y", "needs"), line("a/x", "a/z", "arm"), line("b", "a", "loop")],
  });
  const column = (id: string) => graph.nodes.get(id)?.column;
  expect(["a", "a/x", "a/y", "a/z", "b"].map(column)).toEqual([0, 1, 2, 2, 3]);
  expect(graph.lines.map(({ from, to, kind }) => `${from} ${kind} ${to}`)).toEqual([
    "a/y next b",
    "a/z next b",
    "a/x needs a/y",
    "a/x arm a/z",
    "b loop a",
    "a within a/x",
  ]);
  expect(graph.nodes.get("b")?.before).toEqual(["a/y", "a/z"]);
});

test("no two boxes overlap, every line leads to the right, and a cycle does no harm", () => {
  const ids = Array.from({ length: 1_000 }, (_, n) => `n${n}`);
  const lines = ids.flatMap((id, n) => [
    { from: id, to: `n${n * 2 + 1}` },
    { from: id, to: `n${n + 17}` },
  ]);
  const places = layout({ ids, lines });
  for (const { from, to } of lines) {
    const [a, b] = [places.get(from), places.get(to)];
    if (a && b) expect(b.column).toBeGreaterThan(a.column);
  }
  const columns = new Map<number, number[]>();
  for (const { column, y } of places.values()) columns.set(column, [...(columns.get(column) ?? []), y]);
  for (const ys of columns.values()) {
    ys.sort((a, b) => a - b);
    ys.forEach((y, n) => expect(y - (ys[n - 1] ?? -Infinity)).toBeGreaterThanOrEqual(BOX.height));
  }
  const cycle = layout({
    ids: ["a", "b", "c"],
    lines: ["ab", "bc", "cb"].map(([from, to]) => ({ from, to }) as never),
  });
  expect(cycle.size).toBe(3);
});
