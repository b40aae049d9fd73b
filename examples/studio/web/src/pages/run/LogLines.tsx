import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { RunPlan } from "workflow-client";

import { LogLayout, LogScale, ROW } from "../../log/layout";
import type { LogModel, LogState } from "../../log/model";
import type { LogRow } from "../../log/rows";
import { LogLine } from "./LogLine";

/** How near to the end a scroll downwards is meant for the end, in pixels. */
const NEAR = 5 * ROW;
/** How far lines are made above and below what is in view, in pixels. */
const OVER = 24 * ROW;
/** How long nothing is scrolled until the bar is put where the lines are, in milliseconds. */
const STILL = 200;
const EVEN: ReadonlyMap<string, number> = new Map();

/** A line to show in the middle: the first that the test finds in a page. */
export interface Goal {
  page: number;
  isIt: (row: LogRow) => boolean;
}

/** The line at the top of the view, and how much of it is above. */
interface Position {
  /** The number with which its page begins. */
  start: number;
  row: number;
  key: string | undefined;
  within: number;
  /** Where the reader has put the scroll bar, and the height at which lines were shown then. */
  put: { bar: number; top: number } | undefined;
}

interface Props {
  log: LogModel;
  state: LogState;
  isFollowing: boolean;
  onFollow: (isFollowing: boolean) => void;
  /** Whether lines may still be added. */
  isLive: boolean;
  isWrapped: boolean;
  withTime: boolean;
  goal: Goal | undefined;
  plan: RunPlan | undefined;
  sought: string;
  isSelected: (row: LogRow) => boolean;
  onPick: (row: LogRow, isRange: boolean) => void;
  empty: string;
}

/** The lines of a log, of which only those in view are in the document, however many there are. */
export function LogLines(props: Props) {
  const { log, state, isFollowing, onFollow, isLive, isWrapped, withTime, goal, plan, sought, isSelected, onPick } =
    props;
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ height: 600, width: 0 });
  const [position, setPosition] = useState<Position>();
  const [measured, setMeasured] = useState({ width: 0, heights: EVEN });
  const followed = useRef<Position>(undefined);
  const lastBar = useRef(0);
  const { pages } = state;
  // Heights that were measured at another width are of no use.
  const heights = isWrapped && measured.width === view.width ? measured.heights : EVEN;
  const layout = useMemo(() => new LogLayout(pages, heights), [pages, heights]);
  const scale = new LogScale(layout.total, view.height);

  const positionAt = useCallback(
    (top: number, put?: Position["put"]): Position => {
      const { page, row, within } = layout.at(top);
      const { start = 0, rows } = layout.pages[page] ?? {};
      return { start, row, key: rows?.[row]?.key, within, put };
    },
    [layout],
  );
  const shown = isFollowing ? undefined : (position ?? followed.current);
  const top = Math.min(shown === undefined ? scale.end : topOf(layout, shown), scale.end);
  // The bar stays where the reader has put it, unless lines above have changed.
  const put = shown?.put;
  const isPut = put !== undefined && (layout.total > scale.height || Math.abs(put.top - top) < 0.5);
  const bar = isPut ? put.bar : scale.bar(top);
  const parts = visible(layout, top, view.height);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    if (!isPut) {
      if (Math.abs(element.scrollTop - bar) > 0.5) element.scrollTop = bar;
      lastBar.current = element.scrollTop;
    }
    if (isFollowing) followed.current = positionAt(top);
  });
  useEffect(() => {
    if (isFollowing) setPosition(undefined);
  }, [isFollowing]);
  useEffect(() => {
    if (!state.isLoading) log.want(parts.from, parts.to);
  }, [log, state.isLoading, state.pages, parts.from, parts.to]);
  useEffect(() => {
    if (shown?.put === undefined) return;
    const timer = setTimeout(() => setPosition({ ...shown, put: undefined }), STILL);
    return () => clearTimeout(timer);
  }, [shown]);

  // A line that is found comes to the middle once.
  const reached = useRef<Goal>(undefined);
  useEffect(() => {
    const rows = goal === undefined ? undefined : pages[goal.page]?.rows;
    if (goal === undefined || rows === undefined || reached.current === goal) return;
    reached.current = goal;
    const found = rows.findIndex(goal.isIt);
    const row = found < 0 ? rows.length - 1 : found;
    setPosition(positionAt(Math.max(0, layout.topOf({ page: goal.page, row }) - view.height / 2 + ROW)));
  }, [goal, pages, layout, positionAt, view.height]);

  // Wrapped lines are measured when they are shown.
  useLayoutEffect(() => {
    if (!isWrapped || lines.current === null) return;
    let next: Map<string, number> | undefined;
    for (const line of lines.current.querySelectorAll<HTMLElement>("[data-key]")) {
      const key = line.dataset["key"] ?? "";
      if ((heights.get(key) ?? ROW) === line.offsetHeight) continue;
      next ??= new Map(heights);
      next.set(key, line.offsetHeight);
    }
    if (next !== undefined) setMeasured({ width: view.width, heights: next });
  }, [isWrapped, heights, parts, view.width]);
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setView({ height: element.clientHeight, width: element.clientWidth }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  return (
    <div
      className={`log-lines${isWrapped ? " is-wrapped" : ""}${withTime ? "" : " no-time"}`}
      ref={scroller}
      role="log"
      aria-live="off"
      aria-label="Lines"
      aria-busy={state.isLoading}
      data-held={state.held}
      tabIndex={0}
      onWheel={(event) => {
        // Only a scroll upwards of the reader ends the following, not lines that are added.
        if (event.deltaY < 0) onFollow(false);
      }}
      onKeyDown={(event) => {
        if (["ArrowUp", "PageUp", "Home"].includes(event.key)) onFollow(false);
      }}
      onPointerDown={(event) => {
        // The scroll bar, or a finger.
        const isBar = event.nativeEvent.offsetX >= event.currentTarget.clientWidth;
        if (isBar || event.pointerType === "touch") onFollow(false);
      }}
      onScroll={(event) => {
        const { scrollTop } = event.currentTarget;
        const from = lastBar.current;
        if (Math.abs(scrollTop - from) <= 0.5) return;
        lastBar.current = scrollTop;
        const next = scale.moved(top, from, scrollTop);
        // Lines may have been added since the reader scrolled to what was the end.
        const isEnd = scale.end - next < (scrollTop > from ? NEAR : 4);
        if (isEnd && isLive) onFollow(true);
        setPosition(positionAt(next, { bar: scrollTop, top: next }));
      }}
    >
      <div className="log-all" style={{ height: scale.height }}>
        <div className="log-window" ref={lines} style={{ transform: `translateY(${bar + parts.top - top}px)` }}>
          {parts.lines.map((part) =>
            part.row === undefined ? (
              <div key={part.key} className="log-missing" style={{ height: part.height }} aria-hidden="true" />
            ) : (
              <LogLine
                key={part.key}
                row={part.row}
                plan={plan}
                isSelected={isSelected(part.row)}
                sought={sought}
                onPick={onPick}
              />
            ),
          )}
        </div>
      </div>
      {layout.total === 0 && !state.isLoading ? <p className="muted pad log-empty">{props.empty}</p> : null}
    </div>
  );
}

function topOf(layout: LogLayout, { start, row, key, within }: Position): number {
  const page = layout.pages.findIndex((each) => each.start === start);
  if (page < 0) return Infinity;
  const rows = layout.pages[page]?.rows;
  // Lines may have been added before it.
  const at = key === undefined || rows?.[row]?.key === key ? row : (rows?.findIndex((each) => each.key === key) ?? row);
  return layout.topOf({ page, row: at < 0 ? row : at }) + within;
}

/** A line, or the place of lines that are not held. */
interface Part {
  key: string;
  row: LogRow | undefined;
  height: number;
}

/** What is in view from a height on, with something above and below; `from` and `to` are pages. */
function visible(layout: LogLayout, top: number, height: number) {
  const first = layout.at(Math.max(0, top - OVER));
  const lines: Part[] = [];
  const begin = layout.total === 0 ? 0 : layout.topOf(first);
  let end = begin;
  let to = first.page;
  let spot: { page: number; row: number } | undefined = layout.total === 0 ? undefined : first;
  while (spot !== undefined && end < top + height + OVER) {
    const page = layout.pages[spot.page];
    const row = page?.rows?.[spot.row];
    const lineHeight = layout.height(spot.page, spot.row);
    to = spot.page;
    const before = lines.at(-1);
    const key = row?.key ?? `missing ${page?.start ?? 0}`;
    if (row === undefined && before?.key === key) before.height += lineHeight;
    else lines.push({ key, row, height: lineHeight });
    end += lineHeight;
    spot = layout.next(spot);
  }
  return { lines, top: begin, from: first.page, to };
}
