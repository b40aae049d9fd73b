import { memo, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";

import { Button } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { stageStatus } from "../words";
import type { Course, Graph, Line, Node } from "./graph";
import { BOX } from "./layout";

/** The part that is in view: where the graph's corner is, and how large it is drawn. */
interface View {
  x: number;
  y: number;
  scale: number;
}

/** From this size on boxes are drawn with their words; below, each is a spot. */
const READABLE = 0.45;
const MARGIN = 24;

interface Props {
  graph: Graph;
  courseOf: (node: Node) => Course | undefined;
  /** What is wrong with a box, where the definition itself is shown. */
  markOf?: (node: Node) => "error" | "warning" | undefined;
  selected: string | undefined;
  onSelect: (id: string) => void;
}

/** A graph, of which only what is in view is in the document. One stop of the tab key; arrows follow the lines. */
export function GraphView({ graph, courseOf, markOf, selected, onSelect }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [view, setView] = useState<View>();
  const [focused, setFocused] = useState<string>();
  const first = graph.nodes.keys().next().value;
  const active = [focused, selected, first].find((id) => id !== undefined && graph.nodes.has(id));

  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setSize({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const fitted = useMemo(() => fit(graph, size.width, size.height), [graph, size.width, size.height]);
  const shown = view ?? fitted;

  const zoom = (by: number, at = { x: size.width / 2, y: size.height / 2 }) => {
    const scale = Math.min(2, Math.max(0.05, shown.scale * by));
    const factor = scale / shown.scale;
    setView({ scale, x: at.x - (at.x - shown.x) * factor, y: at.y - (at.y - shown.y) * factor });
  };
  // React's own listener cannot keep the page from scrolling.
  const wheel = useRef<(event: WheelEvent) => void>(undefined);
  useEffect(() => {
    wheel.current = (event) => {
      event.preventDefault();
      const box = frame.current?.getBoundingClientRect();
      if (event.ctrlKey) {
        zoom(Math.exp(-event.deltaY / 300), {
          x: event.clientX - (box?.left ?? 0),
          y: event.clientY - (box?.top ?? 0),
        });
      } else setView({ ...shown, x: shown.x - event.deltaX, y: shown.y - event.deltaY });
    };
  });
  useEffect(() => {
    const element = frame.current;
    const turn = (event: WheelEvent) => wheel.current?.(event);
    element?.addEventListener("wheel", turn, { passive: false });
    return () => element?.removeEventListener("wheel", turn);
  }, []);

  /** Brings a box into view, where its words can be read. */
  const reveal = (node: Node) => {
    const scale = Math.max(shown.scale, 0.8);
    const [left, top] = [node.x * scale + shown.x, node.y * scale + shown.y];
    const isIn = (from: number, length: number, room: number) => from >= MARGIN && from + length <= room - MARGIN;
    if (
      scale === shown.scale &&
      isIn(left, BOX.width * scale, size.width) &&
      isIn(top, BOX.height * scale, size.height)
    ) {
      return;
    }
    const x = size.width / 2 - (node.x + BOX.width / 2) * scale;
    setView({ scale, x, y: size.height / 2 - (node.y + BOX.height / 2) * scale });
  };
  const move = (to: string | undefined) => {
    const node = to === undefined ? undefined : graph.nodes.get(to);
    if (node === undefined || to === undefined) return;
    reveal(node);
    setFocused(to);
    hasMoved.current = true;
  };
  const hasMoved = useRef(false);
  useLayoutEffect(() => {
    if (!hasMoved.current || active === undefined) return;
    hasMoved.current = false;
    frame.current?.querySelector<HTMLElement>(`[data-node="${CSS.escape(active)}"]`)?.focus({ preventScroll: true });
  }, [active, shown]);

  const isReadable = shown.scale >= READABLE;
  const inView = useMemo(() => {
    const margin = 100;
    const [left, top] = [(-shown.x - margin) / shown.scale, (-shown.y - margin) / shown.scale];
    const right = left + (size.width + 2 * margin) / shown.scale;
    const bottom = top + (size.height + 2 * margin) / shown.scale;
    const isIn = ({ x, y }: Node) => x + BOX.width >= left && x <= right && y + BOX.height >= top && y <= bottom;
    const nodes = [...graph.nodes.values()].filter(isIn);
    const lines = graph.lines.filter(({ from, to }) => {
      const [a, b] = [graph.nodes.get(from), graph.nodes.get(to)];
      if (a === undefined || b === undefined) return false;
      const [low, high] = [Math.min(a.x, b.x), Math.max(a.x, b.x) + BOX.width];
      const [above, below] = [Math.min(a.y, b.y) - BOX.height, Math.max(a.y, b.y) + 2 * BOX.height];
      return high >= left && low <= right && below >= top && above <= bottom;
    });
    return { nodes, lines };
  }, [graph, shown, size]);
  const own = active === undefined ? undefined : graph.nodes.get(active);
  const drawn = isReadable ? inView.nodes : [];
  const words = own === undefined || drawn.includes(own) ? drawn : [...drawn, own];

  const drag = (event: React.PointerEvent) => {
    if (event.button !== 0 || (event.target as HTMLElement).closest("button") !== null) return;
    const from = { x: event.clientX - shown.x, y: event.clientY - shown.y };
    const target = event.currentTarget as HTMLElement;
    target.setPointerCapture(event.pointerId);
    target.classList.add("is-moving");
    const go = (moved: PointerEvent) => setView({ ...shown, x: moved.clientX - from.x, y: moved.clientY - from.y });
    const stop = () => {
      target.classList.remove("is-moving");
      target.removeEventListener("pointermove", go);
      target.removeEventListener("pointerup", stop);
      target.removeEventListener("pointercancel", stop);
    };
    target.addEventListener("pointermove", go);
    target.addEventListener("pointerup", stop);
    target.addEventListener("pointercancel", stop);
  };
  const choose = useCallback(
    (id: string) => {
      setFocused(id);
      onSelect(id);
    },
    [onSelect],
  );
  return (
    <div className="graph" role="group" aria-label="Graph">
      <div
        className="graph-frame"
        ref={frame}
        data-nodes={graph.nodes.size}
        onPointerDown={drag}
        onKeyDown={(event) => {
          if (own === undefined) return;
          const same = (by: number) => {
            const column = [...graph.nodes.values()].filter((node) => node.column === own.column);
            return column.find((node) => node.index === own.index + by)?.box.id;
          };
          const [ahead, back, next, previous] = graph.isDown
            ? ["ArrowDown", "ArrowUp", "ArrowRight", "ArrowLeft"]
            : ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"];
          if (event.key === ahead) move(own.behind[0]);
          else if (event.key === back) move(own.before[0]);
          else if (event.key === next) move(same(1));
          else if (event.key === previous) move(same(-1));
          else if (event.key === "Home") move(first);
          else return;
          event.preventDefault();
        }}
      >
        <div
          className="graph-layer"
          style={{ transform: `translate(${shown.x}px, ${shown.y}px) scale(${shown.scale})` }}
        >
          <svg className="graph-lines" aria-hidden="true" width="1" height="1">
            {inView.lines.map((line) => (
              <LineView
                key={`${line.from} ${line.kind} ${line.to}`}
                line={line}
                graph={graph}
                isSkipped={isSkipped(line, graph, courseOf)}
              />
            ))}
            {isReadable ? null : <Spots nodes={inView.nodes} courseOf={courseOf} />}
          </svg>
          {words.map((node) => (
            <Box
              key={node.box.id}
              node={node}
              course={courseOf(node)}
              mark={markOf?.(node)}
              isActive={node.box.id === active}
              isSelected={node.box.id === selected}
              onChoose={choose}
            />
          ))}
        </div>
      </div>
      <div className="graph-tools">
        <Button slim kind="plain" aria-label="Zoom out" onClick={() => zoom(1 / 1.4)}>
          −
        </Button>
        <Button slim kind="plain" aria-label="Zoom in" onClick={() => zoom(1.4)}>
          +
        </Button>
        <Button slim onClick={() => setView(undefined)}>
          Fit
        </Button>
      </div>
    </div>
  );
}

/** The whole graph, or as much of its beginning as can be read. */
function fit({ width, height }: Graph, roomX: number, roomY: number): View {
  if (roomX === 0 || roomY === 0) return { x: MARGIN, y: MARGIN, scale: 1 };
  const [all, high] = [width + BOX.width, height + BOX.height];
  const scale = Math.min(1, (roomX - 2 * MARGIN) / all, (roomY - 2 * MARGIN) / high);
  const x = Math.max(MARGIN, (roomX - all * scale) / 2);
  return { scale: Math.max(scale, 0.05), x, y: Math.max(MARGIN, (roomY - high * scale) / 2) };
}

function isSkipped({ to, from }: Line, graph: Graph, courseOf: Props["courseOf"]): boolean {
  const of = (id: string) => {
    const node = graph.nodes.get(id);
    return node === undefined ? undefined : courseOf(node)?.status;
  };
  return of(to) === "skipped" || of(from) === "skipped";
}

interface LineProps {
  line: Line;
  graph: Graph;
  isSkipped: boolean;
}

const LineView = memo(function LineView({ line, graph, isSkipped }: LineProps) {
  const [from, to] = [graph.nodes.get(line.from), graph.nodes.get(line.to)];
  if (from === undefined || to === undefined) return null;
  if (graph.isDown) return <path className={`graph-line is-${line.kind}`} d={pathDown(line, from, to)} />;
  const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = [to.x, to.y + BOX.height / 2];
  let path = `M${x1} ${y1}C${x1 + 36} ${y1} ${x2 - 36} ${y2} ${x2 - 2} ${y2}`;
  if (line.kind === "loop" || from === to) {
    // Back, below the boxes.
    const low = Math.max(from.y, to.y) + BOX.height + 28;
    const [a, b] = [from.x + BOX.width / 2, to.x + BOX.width / 2 + (from === to ? -40 : 0)];
    path = `M${a} ${from.y + BOX.height}C${a} ${low} ${b} ${low} ${b} ${to.y + BOX.height + 2}`;
  } else if (line.kind === "failure") {
    path = `M${x1} ${y1 + 12}C${x1 + 36} ${y1 + 28} ${x2 - 36} ${y2 + 28} ${x2 - 2} ${y2 + 12}`;
  }
  return (
    <path className={`graph-line is-${line.kind}${isSkipped ? " is-skipped" : ""}`} d={path}>
      {line.label === undefined ? null : <title>{line.label}</title>}
    </path>
  );
});

/** A line that leads down; back and past failures it leads beside the boxes. */
function pathDown({ kind }: Line, from: Node, to: Node): string {
  const [x1, y1] = [from.x + BOX.width / 2, from.y + BOX.height];
  const [x2, y2] = [to.x + BOX.width / 2, to.y];
  if (kind === "loop" || from === to) {
    const out = Math.max(from.x, to.x) + BOX.width + 32;
    const [a, b] = [from.y + BOX.height / 2, to.y + BOX.height / 2 - (from === to ? 16 : 0)];
    return `M${from.x + BOX.width} ${a}C${out} ${a} ${out} ${b} ${to.x + BOX.width + 2} ${b}`;
  }
  const aside = kind === "failure" ? 24 : 0;
  return `M${x1 + aside} ${y1}C${x1 + aside} ${y1 + 24} ${x2 + aside} ${y2 - 24} ${x2 + aside} ${y2 - 2}`;
}

/** Boxes that are too small to be read: a form for each status. */
function Spots({ nodes, courseOf }: { nodes: Node[]; courseOf: Props["courseOf"] }) {
  const paths = new Map<string, string>();
  for (const node of nodes) {
    const tone = stageStatus(courseOf(node)?.status ?? "pending").tone;
    const box = `M${node.x} ${node.y}h${BOX.width}v${BOX.height}h${-BOX.width}z`;
    paths.set(tone, (paths.get(tone) ?? "") + box);
  }
  return [...paths].map(([tone, path]) => <path key={tone} className={`graph-spots tone-${tone}`} d={path} />);
}

interface BoxProps {
  node: Node;
  course: Course | undefined;
  mark: "error" | "warning" | undefined;
  isActive: boolean;
  isSelected: boolean;
  onChoose: (id: string) => void;
}

const Box = memo(
  function Box({ node, course, mark, isActive, isSelected, onChoose }: BoxProps) {
    const { box } = node;
    const shown = course === undefined ? undefined : stageStatus(course.status);
    const tone = shown?.tone ?? (mark === undefined ? "pending" : mark === "error" ? "failed" : "waiting");
    const isEnd = box.kind === "start" || box.kind === "end";
    const note = course?.items ?? box.notes.join(" · ");
    return (
      <button
        type="button"
        data-node={box.id}
        className={`graph-box kind-${box.kind} tone-${tone}${isSelected ? " is-selected" : ""}${
          course?.status === "skipped" ? " is-skipped" : ""
        }`}
        style={{ transform: `translate(${node.x}px, ${node.y}px)`, width: BOX.width, height: BOX.height }}
        tabIndex={isActive ? 0 : -1}
        aria-pressed={isSelected}
        title={[box.label, ...box.notes].join("\n")}
        onClick={() => onChoose(box.id)}
      >
        <span className="graph-name">
          {shown === undefined || isEnd ? null : <Icon name={shown.tone} />}
          {mark === undefined ? null : <Icon name="warning" />}
          <span className="ellipsis">{box.label}</span>
          {mark === undefined ? null : <span className="hidden">, {mark}</span>}
        </span>
        {isEnd ? null : (
          <span className="graph-note ellipsis">
            {shown === undefined ? note : `${shown.word}${note === "" ? "" : ` · ${note}`}`}
            {(course?.attempts ?? 0) > 1 ? ` · attempt ${course?.attempts}` : ""}
          </span>
        )}
      </button>
    );
  },
  (a, b) =>
    a.node === b.node &&
    a.mark === b.mark &&
    a.isActive === b.isActive &&
    a.isSelected === b.isSelected &&
    a.onChoose === b.onChoose &&
    JSON.stringify(a.course) === JSON.stringify(b.course),
);
