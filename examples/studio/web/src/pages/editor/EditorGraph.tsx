import { useCallback, useMemo } from "react";
import type { Problem } from "workflow-client";

import { graphOf, type Node } from "../../graph/graph";
import { GraphView } from "../../graph/GraphView";
import { Skeleton } from "../../parts/states";
import { sectionOf } from "./places";
import { useGraph } from "./query";

interface Props {
  id: string;
  /** The text, while it has no errors. */
  text: string | undefined;
  problems: Problem[];
  selected: string | undefined;
  /** Whether there is room for the nodes of the stages, and for lines to the right. */
  isWide: boolean;
  onSelect: (stage: string) => void;
}

const nothing = () => undefined;

/** The edited definition as a graph. While the text has errors, it is the graph of the last one without. */
export function EditorGraph({ id, text, problems, selected, isWide, onSelect }: Props) {
  const { data, isError } = useGraph(id, text, isWide);
  const graph = useMemo(() => (data === undefined ? undefined : graphOf(data, !isWide)), [data, isWide]);
  const wrong = useMemo(() => {
    const found = new Map<string, "error" | "warning">();
    for (const { path, severity } of problems) {
      const stage = sectionOf(path);
      if (severity === "error" || !found.has(stage)) found.set(stage, severity);
    }
    return found;
  }, [problems]);
  const markOf = useCallback((node: Node) => wrong.get(node.box.id), [wrong]);
  const select = useCallback(
    (box: string) => {
      const stage = graph?.nodes.get(box)?.box.stage ?? box;
      if (!stage.startsWith("(")) onSelect(stage);
    },
    [graph, onSelect],
  );
  if (graph === undefined) {
    return text === undefined || isError ? (
      <p className="muted small editor-graph-note">The graph is drawn when the text has no errors.</p>
    ) : (
      <Skeleton rows={4} height={64} />
    );
  }
  return (
    <>
      {text === undefined ? (
        <p className="muted small editor-graph-note" role="status">
          As of the last text without errors.
        </p>
      ) : null}
      <GraphView graph={graph} courseOf={nothing} markOf={markOf} selected={selected} onSelect={select} />
    </>
  );
}
