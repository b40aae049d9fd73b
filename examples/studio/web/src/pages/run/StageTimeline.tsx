import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import type { RunPlan } from "workflow-client";

import { counted, dollars, duration, fullTime } from "../../format";
import { Icon } from "../../parts/Icon";
import { useNow } from "../../parts/Time";
import { bars, costOf, rows, ticks, type Bar, type Row } from "../../run/rows";
import type { RunFeed } from "../../run/feed";
import type { Item } from "../../run/timeline";
import { isForPage } from "../../shell/keys";
import { stageStatus } from "../../words";

interface Props {
  feed: RunFeed;
  plan: RunPlan | undefined;
  at: string | undefined;
  attempt: number | undefined;
  onSelect: (at: string | undefined, attempt?: number) => void;
}

const ROW = 28;

/** The course of a run: what ran when, how long it took, how often it was tried. */
export function StageTimeline({ feed, plan, at, attempt, onSelect }: Props) {
  const { timeline } = feed;
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const clock = useNow();
  const end = timeline.endedAt ?? Math.max(clock, timeline.last ?? 0);
  const start = timeline.startedAt ?? timeline.createdAt ?? end;
  const length = Math.max(end - start, 1);
  // The timeline grows in place: its version says that it has changed.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const found = useMemo(() => rows(timeline, plan, toggled), [timeline, feed.version, plan, toggled]);
  const pending = plan?.stages.filter((stage) => !isBegun(found, stage.id)) ?? [];
  const scroller = useRef<HTMLDivElement>(null);

  const virtual = useVirtualizer({
    count: found.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 20,
  });
  const selected = found.findIndex((row) => row.item.place === at || row.work.place === at);
  const [focused, setFocused] = useState(0);
  const active = Math.min(selected >= 0 ? selected : focused, Math.max(0, found.length - 1));

  const toggle = (place: string) =>
    setToggled((known) => {
      const next = new Set(known);
      if (!next.delete(place)) next.add(place);
      return next;
    });
  const choose = (index: number, number?: number) => {
    const row = found[index];
    if (row === undefined) return;
    setFocused(index);
    virtual.scrollToIndex(index);
    onSelect(row.item.place, number);
  };
  const focus = (index: number) => {
    virtual.scrollToIndex(index);
    requestAnimationFrame(() =>
      scroller.current?.querySelector<HTMLElement>(`[aria-rowindex="${index + 2}"] .tl-name`)?.focus(),
    );
  };

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!isForPage(event)) return;
      if (event.key === ".") {
        const order = [...found.keys()].map((n) => (n + active + 1) % found.length);
        const next = order.find((n) => found[n]?.item.status === "failed");
        if (next !== undefined) choose(next);
      }
      if (event.key === "[" || event.key === "]") {
        const row = found[selected];
        const numbers = row?.work.attempts.map((each) => each.number) ?? [];
        if (numbers.length === 0) return;
        const now = attempt === undefined ? numbers.length : numbers.indexOf(attempt);
        const next = numbers[Math.min(Math.max(now + (event.key === "[" ? -1 : 1), 0), numbers.length - 1)];
        choose(selected, next);
      }
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });

  const steps = ticks(length, 6);
  return (
    <div className="timeline" ref={scroller}>
      <div
        role="treegrid"
        aria-label="Timeline"
        aria-rowcount={found.length + 1}
        onKeyDown={(event) => {
          const row = found[active];
          const key = event.key;
          if (row === undefined || event.target instanceof HTMLInputElement) return;
          const current =
            Number((event.target as HTMLElement).closest("[aria-rowindex]")?.getAttribute("aria-rowindex")) - 2;
          const here = found[current] ?? row;
          if (key === "ArrowDown" || key === "ArrowUp")
            focus(Math.min(Math.max(current + (key === "ArrowDown" ? 1 : -1), 0), found.length - 1));
          else if (key === "Home") focus(0);
          else if (key === "End") focus(found.length - 1);
          else if (key === "ArrowRight" && here.hasChildren && !here.isOpen) toggle(here.item.place);
          else if (key === "ArrowLeft" && here.isOpen) toggle(here.item.place);
          else return;
          event.preventDefault();
        }}
      >
        <div className="tl-row tl-head" role="row" aria-rowindex={1}>
          <div role="columnheader" className="tl-cell-name">
            Stage
          </div>
          <div role="columnheader" className="is-number tl-time">
            Time
          </div>
          <div role="columnheader" className="is-number tl-cost">
            Cost
          </div>
          <div role="columnheader" className="tl-axis">
            <span className="hidden">Attempts and waits</span>
            {steps.map((step) => (
              <span key={step} className="tick number" aria-hidden="true" style={{ left: `${(step / length) * 100}%` }}>
                {step === 0
                  ? "0"
                  : duration(step)
                      .replace(/\.0 s$/, " s")
                      .replace(/ m 00 s$/, " m")
                      .replace(/ h 00 m$/, " h")}
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" className="tl-body" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start: top }) => {
            const row = found[index];
            return row === undefined ? null : (
              <TimelineRow
                key={row.item.place}
                row={row}
                index={index}
                top={top}
                start={start}
                length={length}
                now={end}
                steps={steps}
                isSelected={index === selected}
                isTabStop={index === active}
                attempt={index === selected ? attempt : undefined}
                onToggle={toggle}
                onSelect={(number) => choose(index, number)}
              />
            );
          })}
        </div>
      </div>
      {timeline.seq > 0 && timeline.endedAt === undefined && pending.length > 0 ? (
        <ul className="tl-pending" aria-label="Stages that have not begun">
          {pending.map((stage) => (
            <li key={stage.id} className="tl-row">
              <span className="tl-cell-name muted">
                <span className="tl-toggle" />
                <span className="status tone-pending">
                  <Icon name="pending" />
                </span>
                <span>{stage.id}</span>
                <span className="small">
                  Pending{stage.asks ? ", asks first" : ""}
                  {stage.finally ? ", runs in any case" : ""}
                </span>
              </span>
            </li>
          ))}
        </ul>
      ) : null}
      {found.length === 0 && pending.length === 0 ? <p className="muted pad">Nothing has begun yet.</p> : null}
    </div>
  );
}

const isBegun = (found: Row[], stage: string): boolean =>
  found.some(({ item }) => item.name === stage || item.children.some((child) => child.name === stage));

interface RowProps {
  row: Row;
  index: number;
  top: number;
  start: number;
  length: number;
  now: number;
  steps: number[];
  isSelected: boolean;
  isTabStop: boolean;
  attempt: number | undefined;
  onToggle: (place: string) => void;
  onSelect: (attempt?: number) => void;
}

const TimelineRow = memo(function TimelineRow(props: RowProps) {
  const { row, index, top, start, length, now, steps, isSelected, isTabStop, attempt, onToggle, onSelect } = props;
  const { item, work } = row;
  const status = stageStatus(work.attempts.length > 0 && item.status === "running" ? work.status : item.status);
  const cost = costOf(item);
  const time = item.from === undefined || item.status === "skipped" ? undefined : (item.to ?? now) - item.from;
  const tries = work.attempts.length;
  const name = [
    item.name,
    status.word.toLowerCase(),
    tries > 1 ? `attempt ${tries}` : undefined,
    time === undefined ? undefined : duration(time),
  ];
  return (
    <div
      className={`tl-row${isSelected ? " is-selected" : ""} kind-${item.kind}`}
      role="row"
      aria-rowindex={index + 2}
      aria-level={row.level}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-selected={isSelected}
      aria-expanded={row.hasChildren ? row.isOpen : undefined}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onSelect()}
    >
      <div role="gridcell" className="tl-cell-name" style={{ paddingLeft: (row.level - 1) * 16 }}>
        {row.hasChildren ? (
          <button
            type="button"
            className="tl-toggle"
            tabIndex={-1}
            aria-label={`${row.isOpen ? "Close" : "Open"} ${item.name}`}
            onClick={(event) => {
              event.stopPropagation();
              onToggle(item.place);
            }}
          >
            <Icon name={row.isOpen ? "down" : "open"} />
          </button>
        ) : (
          <span className="tl-toggle" />
        )}
        <span className={`status tone-${status.tone}`} title={status.word}>
          <Icon name={status.tone} />
        </span>
        <button
          type="button"
          className="tl-name ellipsis"
          tabIndex={isTabStop ? 0 : -1}
          aria-label={name.filter(Boolean).join(", ")}
          onClick={(event) => {
            event.stopPropagation();
            onSelect();
          }}
        >
          {item.name}
        </button>
        <span className="small muted ellipsis">{detail(item, work)}</span>
      </div>
      <div role="gridcell" className="is-number tl-time">
        {time === undefined ? "–" : duration(time)}
      </div>
      <div role="gridcell" className="is-number tl-cost muted">
        {cost.costUsd === null
          ? cost.attempts === 0
            ? "–"
            : "unknown"
          : `${cost.unpriced > 0 ? "≥ " : ""}${dollars(cost.costUsd)}`}
      </div>
      <div role="gridcell" className="tl-axis">
        {steps.map((step) => (
          <span key={step} className="grid" style={{ left: `${(step / length) * 100}%` }} />
        ))}
        {bars(row, now).map((bar) => (
          <BarView
            key={bar.key}
            bar={bar}
            start={start}
            length={length}
            isChosen={bar.attempt !== undefined && bar.attempt.number === attempt}
            onChoose={onSelect}
          />
        ))}
      </div>
    </div>
  );
});

interface BarProps {
  bar: Bar;
  start: number;
  length: number;
  isChosen: boolean;
  onChoose: (attempt?: number) => void;
}

function BarView({ bar, start, length, isChosen, onChoose }: BarProps) {
  const left = ((bar.from - start) / length) * 100;
  const width = ((bar.to - bar.from) / length) * 100;
  const reason = bar.pause && (bar.pause.reason === "queue" ? "queued" : bar.pause.reason.replace("_", " "));
  const outcome = bar.attempt && `attempt ${bar.attempt.number} ${bar.attempt.outcome}`;
  const title = [outcome ?? reason ?? bar.kind, duration(bar.to - bar.from), fullTime(bar.from), bar.pause?.text]
    .filter(Boolean)
    .join(" · ");
  return (
    <span
      className={`bar-hit${isChosen ? " is-chosen" : ""}`}
      style={{ left: `min(${left}%, calc(100% - 6px))`, width: `max(6px, ${width}%)` }}
      title={title}
      onClick={(event) => {
        event.stopPropagation();
        onChoose(bar.attempt?.number);
      }}
    >
      <span className={`bar bar-${bar.kind} tone-${bar.tone}`}>
        {bar.kind === "wait" && reason ? <i>{reason}</i> : null}
      </span>
    </span>
  );
}

/** What a row says beside its name. */
function detail(item: Item, work: Item): string {
  const parts: string[] = [];
  if (item.isLast) parts.push("runs in any case");
  if (item.ended) {
    parts.push(item.ended.done ? "done" : item.ended.next ? `next from ${item.ended.next}` : "not done");
  }
  if (work.total !== undefined) {
    const of = (status: string) => work.children.filter((child) => child.status === status).length;
    parts.push(`${of("completed")}/${work.total}${of("failed") > 0 ? `, ${of("failed")} failed` : ""}`);
  }
  if (work.attempts.length > 1) parts.push(counted(work.attempts.length, "attempt"));
  const provider = work.provider ?? item.provider;
  if (provider !== undefined) parts.push(provider);
  return parts.join(" · ");
}
