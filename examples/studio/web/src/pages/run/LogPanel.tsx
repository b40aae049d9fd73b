import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { LogLevel, RunPlan, RunView } from "workflow-client";

import { parseLines, placeWords } from "../../address";
import { count, exactClock } from "../../format";
import type { LogFilter } from "../../log/filter";
import { logRequest } from "../../log/filter";
import type { LogRow } from "../../log/rows";
import { Button } from "../../parts/Button";
import { SearchField } from "../../parts/SearchField";
import { Failed } from "../../parts/states";
import { copyText, download } from "../../parts/copy";
import { EVERYTHING, type RunFeed } from "../../run/feed";
import { client } from "../../service/client";
import { useOffline } from "../../service/contact";
import { isTyping } from "../../shell/keys";
import { isOver, lineKind } from "../../words";
import { LogLine } from "./LogLine";
import type { RunSearch } from "./query";

interface Props {
  feed: RunFeed;
  run: RunView;
  search: RunSearch;
  onSearch: (change: RunSearch) => void;
  plan: RunPlan | undefined;
}

const ROW = 20;
/** How near to the end a scroll downwards is meant for the end, in pixels. */
const NEAR = 5 * ROW;
const LEVELS: LogLevel[] = ["error", "warn", "info", "debug"];

function filterOf(search: RunSearch): LogFilter {
  const level = LEVELS.find((each) => each === search.level) ?? EVERYTHING.level;
  const kind = search.kind as LogFilter["kind"];
  const attempt = search.attempt === undefined ? undefined : Number(search.attempt);
  return { level, kind, at: search.at, attempt, text: search.q ?? "" };
}

/** What providers write, and what happens to the run: filtered by the server, loaded in windows. */
export function LogPanel({ feed, run, search, onSearch, plan }: Props) {
  const { log } = feed;
  const state = useSyncExternalStore(log.subscribe, () => log.state);
  const filter = filterOf(search);
  const key = JSON.stringify(filter);
  const chosen = useMemo(() => parseLines(search.line), [search.line]);
  const chosenEvent = search.event === undefined ? undefined : Number(search.event);
  const [isFollowing, follow] = useState(!isOver(run.status) && chosen === undefined && chosenEvent === undefined);
  const [isWrapped, wrap] = useState(false);
  const [withTime, showTime] = useState(true);
  const around = useRef(chosen?.from);
  useEffect(() => {
    void log.select(JSON.parse(key) as LogFilter, around.current);
    // The filter is its key.
  }, [log, key]);
  useEffect(() => {
    if (chosen === undefined || log.state.isLoading) return;
    const isHeld = log.state.rows.some((row) => !row.isEvent && row.number === chosen.from);
    if (!isHeld) void log.select(filter, chosen.from);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [chosen, log]);

  const scroller = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const { rows } = state;

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 30,
  });

  // Older lines come above: what is read stays where it is.
  const first = useRef<string>(undefined);
  useLayoutEffect(() => {
    const known = first.current;
    const now = rows[0]?.key;
    first.current = now;
    if (known === undefined || now === known || isFollowing) return;
    const added = rows.findIndex((row) => row.key === known);
    if (added > 0 && scroller.current) scroller.current.scrollTop += added * ROW;
  }, [rows, isFollowing]);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (isFollowing && element) element.scrollTop = element.scrollHeight;
  }, [rows, isFollowing, isWrapped]);

  // Once: to the line of the address, or to the failure.
  const isPlaced = useRef(false);
  useEffect(() => {
    if (isPlaced.current || state.isLoading || rows.length === 0 || isFollowing) return;
    const isChosen = (row: LogRow) =>
      chosen !== undefined
        ? !row.isEvent && row.number >= chosen.from && (chosen.line === undefined || row.line === chosen.line)
        : row.isEvent && row.number === chosenEvent;
    const index =
      chosen === undefined && chosenEvent === undefined
        ? run.status === "failed"
          ? rows.findIndex((row) => row.level === "error")
          : -1
        : rows.findIndex(isChosen);
    if (index < 0 && (chosen !== undefined || feed.timeline.seq === 0)) return;
    isPlaced.current = true;
    if (index >= 0) virtual.scrollToIndex(index, { align: "center" });
  }, [rows, state.isLoading, chosen, chosenEvent, isFollowing, run.status, virtual, feed.timeline.seq]);

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      if (event.key === "f") follow((is) => !is);
      if (event.key === "w") wrap((is) => !is);
      if (event.key === "t") showTime((is) => !is);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);

  const isSelected = (row: LogRow) =>
    row.isEvent
      ? row.number === chosenEvent
      : chosen !== undefined && row.number >= chosen.from && row.number <= chosen.to;
  const selected = rows.filter(isSelected);
  const pick = (row: LogRow, isRange: boolean) => {
    if (row.isEvent) return onSearch({ event: String(row.number), line: undefined });
    const line =
      isRange && chosen
        ? `${chosen.from}-${row.number}`
        : `${row.number}${row.line && row.line > 1 ? `.${row.line}` : ""}`;
    follow(false);
    isPlaced.current = true;
    onSearch({ line, event: undefined });
  };
  const older = state.older;
  return (
    <section className="log" aria-label="Log">
      <div className="log-bar">
        <SearchField label="Search the log" value={search.q ?? ""} onChange={(q) => onSearch({ q: q || undefined })} />
        <select
          className="field"
          aria-label="Level"
          value={filter.level}
          onChange={(event) => onSearch({ level: event.target.value === "debug" ? undefined : event.target.value })}
        >
          <option value="debug">All levels</option>
          <option value="info">Info and worse</option>
          <option value="warn">Warnings and errors</option>
          <option value="error">Errors</option>
        </select>
        <select
          className="field"
          aria-label="Kind"
          value={search.kind ?? ""}
          onChange={(event) => onSearch({ kind: event.target.value || undefined })}
        >
          <option value="">All kinds</option>
          <option value="stdout">Output</option>
          <option value="stderr">Standard error</option>
          <option value="text">Text</option>
          <option value="thinking">Thinking</option>
          <option value="tool">Tools</option>
          <option value="log">Provider log</option>
          <option value="dropped">Dropped</option>
          <option value="event">Events</option>
        </select>
        {filter.at === undefined ? null : (
          <Button
            slim
            icon="close"
            title="Show the log of all places"
            onClick={() => onSearch({ at: undefined, attempt: undefined })}
          >
            Only {placeWords(filter.at, plan)}
            {filter.attempt === undefined ? "" : `, attempt ${filter.attempt}`}
          </Button>
        )}
        <span className="muted number log-total" role="status">
          {state.total === undefined ? "" : `${count(state.total)} ${state.total === 1 ? "line" : "lines"}`}
        </span>
        <span className="grow" />
        <Button
          className="for-wide"
          slim
          kind="plain"
          icon="clock"
          aria-label="Times"
          title="Times (t)"
          aria-pressed={withTime}
          onClick={() => showTime(!withTime)}
        />
        <Button
          slim
          kind="plain"
          icon="wrap"
          aria-label="Wrap"
          title="Wrap (w)"
          aria-pressed={isWrapped}
          onClick={() => wrap(!isWrapped)}
        />
        <DownloadMenu feed={feed} filter={filter} selected={selected} />
        <Button
          slim
          icon="follow"
          title="Follow (f)"
          aria-pressed={isFollowing}
          onClick={() => {
            if (!isFollowing && !state.isAtEnd) void log.select(filter);
            follow(!isFollowing);
          }}
        >
          Follow
        </Button>
      </div>
      {state.failure ? <Failed failure={state.failure} retry={() => void log.select(filter)} /> : null}
      <div
        className={`log-lines${isWrapped ? " is-wrapped" : ""}${withTime ? "" : " no-time"}`}
        ref={scroller}
        role="log"
        aria-live="off"
        aria-label="Lines"
        tabIndex={0}
        onWheel={(event) => {
          // Only a scroll upwards of the reader ends the following, not lines that are added.
          if (event.deltaY < 0) follow(false);
        }}
        onKeyDown={(event) => {
          if (["ArrowUp", "PageUp", "Home"].includes(event.key)) follow(false);
        }}
        onPointerDown={(event) => {
          // The scroll bar, or a finger.
          const isBar = event.nativeEvent.offsetX >= event.currentTarget.clientWidth;
          if (isBar || event.pointerType === "touch") follow(false);
        }}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          // Lines may have been added since the reader scrolled to what was the end.
          const isDown = scrollTop > lastTop.current;
          lastTop.current = scrollTop;
          const isEnd = scrollHeight - scrollTop - clientHeight < (isDown ? NEAR : 4);
          if (isEnd && state.isAtEnd && !isOver(run.status) && !isFollowing) follow(true);
          if (isEnd && !state.isAtEnd) void log.newer();
          if (scrollTop < 200 && older !== 0 && isPlaced.current) void log.older();
        }}
      >
        {older === 0 ? null : (
          <div className="log-behind">
            {older === undefined ? "Older lines are" : `${count(older)} lines`} not loaded{" "}
            <Button slim onClick={() => void log.older()}>
              Load
            </Button>
          </div>
        )}
        <div className="log-all" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start, key: rowKey }) => {
            const row = rows[index];
            return row === undefined ? null : (
              <LogLine
                key={rowKey}
                row={row}
                index={index}
                top={start}
                measure={isWrapped ? virtual.measureElement : undefined}
                plan={plan}
                isSelected={isSelected(row)}
                sought={filter.text}
                onPick={pick}
              />
            );
          })}
        </div>
        {state.isAtEnd ? null : (
          <div className="log-behind">
            Newer lines are not loaded{" "}
            <Button slim onClick={() => void log.newer()}>
              Load
            </Button>
            <Button slim onClick={() => void log.select(filter)}>
              To the end
            </Button>
          </div>
        )}
        {rows.length === 0 && !state.isLoading ? (
          <p className="muted pad">
            {key === JSON.stringify(EVERYTHING) ? "Nothing was written yet." : "No line matches the filter."}
          </p>
        ) : null}
      </div>
    </section>
  );
}

/** Copies what is selected, or downloads what the filter selects or all of the log. */
function DownloadMenu({ feed, filter, selected }: { feed: RunFeed; filter: LogFilter; selected: LogRow[] }) {
  const offline = useOffline();
  const save = async (format: "text" | "ansi" | "jsonl", request: object | undefined) => {
    const parts: string[] = [];
    let after: number | undefined;
    do {
      const part = await client.call("workflow:runs:logs", {
        ...request,
        runId: feed.runId,
        format,
        ...(after === undefined ? {} : { after }),
      });
      parts.push(part.text ?? "");
      after = part.next ?? undefined;
    } while (after !== undefined);
    const ending = { text: "txt", ansi: "ansi.txt", jsonl: "jsonl" }[format];
    download(`${feed.runId}.${ending}`, parts.join(""));
  };
  return (
    <>
      {selected.length > 0 ? (
        <Button
          slim
          kind="plain"
          icon="copy"
          onClick={() => void copyText(selected.map(plainLine).join("\n"), `${selected.length} lines`)}
        >
          Copy {selected.length}
        </Button>
      ) : null}
      <span className="select-button">
        <select
          className="field"
          aria-label="Download"
          value=""
          disabled={offline !== undefined}
          onChange={(event) => {
            const [what, format] = event.target.value.split(" ") as ["filter" | "all", "text" | "ansi" | "jsonl"];
            void save(format, what === "filter" ? logRequest(feed.runId, filter) : { runId: feed.runId });
          }}
        >
          <option value="" disabled hidden>
            Download
          </option>
          <option value="filter text">Filtered, as text</option>
          <option value="filter ansi">Filtered, with colours (ANSI)</option>
          <option value="filter jsonl">Filtered, as JSON lines</option>
          <option value="all text">All, as text</option>
          <option value="all ansi">All, with colours (ANSI)</option>
          <option value="all jsonl">All, as JSON lines</option>
        </select>
      </span>
    </>
  );
}

function plainLine(row: LogRow): string {
  return `${exactClock(row.at)} ${row.place ?? ""} ${lineKind(row.kind)}: ${row.spans.map((span) => span.text).join("")}`;
}
