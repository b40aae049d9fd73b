import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";

import { courseOf, graphOf, type Course, type Node } from "../../graph/graph";
import { GraphView } from "../../graph/GraphView";
import { Failed, Skeleton } from "../../parts/states";
import type { RunFeed } from "../../run/feed";
import { client } from "../../service/client";

interface Props {
  feed: RunFeed;
  at: string | undefined;
  onSelect: (at: string | undefined) => void;
}

/** What the run follows as a graph, with what has become of each stage and node. */
export function RunGraph({ feed, at, onSelect }: Props) {
  const { runId, timeline, version } = feed;
  const query = useQuery({
    queryKey: ["graph", "run", runId],
    queryFn: ({ signal }) => client.call("workflow:graph", { runId, nodes: true }, { signal }),
  });
  const graph = useMemo(() => (query.data === undefined ? undefined : graphOf(query.data)), [query.data]);
  const courses = useMemo(() => {
    const found = new Map<Node, Course>();
    for (const node of graph?.nodes.values() ?? []) {
      const course = courseOf(timeline, node.box);
      if (course !== undefined) found.set(node, course);
    }
    return found;
    // The timeline grows in place: its version says that it has changed.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [graph, timeline, version]);
  const of = useCallback((node: Node) => courses.get(node), [courses]);
  const select = useCallback(
    (id: string) => {
      const node = graph?.nodes.get(id);
      const course = node === undefined ? undefined : courses.get(node);
      if (course !== undefined) onSelect(course.place);
    },
    [graph, courses, onSelect],
  );
  if (query.isError) return <Failed failure={query.error} retry={() => void query.refetch()} />;
  if (graph === undefined) return <Skeleton rows={6} />;
  const selected = [...courses].find(([, { place }]) => at !== undefined && place === at)?.[0].box.id;
  return <GraphView graph={graph} courseOf={of} selected={selected} onSelect={select} />;
}
