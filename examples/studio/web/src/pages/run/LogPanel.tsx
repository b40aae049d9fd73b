import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { Event, LogLevel, RunPlan, RunView } from "workflow-client";

import { parseLines, placeWords } from "../../address";
import { count, exactClock } from "../../format";
import type { LogFilter } from "../../log/filter";
import { logRequest } from "../../log/filter";
import type { LogState } from "../../log/model";
import type { LogRow } from "../../log/rows";
import { Button } from "../../parts/Button";
import { SearchField } from "../../parts/SearchField";
import { Failed } from "../../parts/states";
import { copyText, download } from "../../parts/copy";
import { EVERYTHING, type RunFeed } from "../../run/feed";
import { eventLevel } from "../../run/eventWords";
import { client } from "../../service/client";
import { useOffline } from "../../service/contact";
import { isForPage } from "../../shell/keys";
import { isOver, lineKind } from "../../words";
import { LogLines, type Goal } from "./LogLines";
import type { RunSearch } from "./query";

interface Props {
  feed: RunFeed;
  run: RunView;
  search: RunSearch;
  onSearch: (change: RunSearch) => void;
  plan: RunPlan | undefined;
}

const LEVELS: LogLevel[] = ["error", "warn", "info", "debug"];

function filterOf(search: RunSearch): LogFilter {
  const level = LEVELS.find((each) => each === search.level) ?? EVERYTHING.level;
  const kind = search.kind as LogFilter["kind"];
  const attempt = search.attempt === undefined ? undefined : Number(search.attempt);
  return { level, kind, at: search.at, attempt, text: search.q ?? "" };
}

/** What providers write, and what happens to the run: filtered and counted by the server, read where it is looked at. */
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
  useEffect(() => {
    void log.select(JSON.parse(key) as LogFilter);
    // The filter is its key.
  }, [log, key]);
  const [goal, setGoal] = useGoal(feed, state, run, key, chosen, chosenEvent, isFollowing);

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!isForPage(event)) return;
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
  const selected =
    chosen === undefined && chosenEvent === undefined
      ? []
      : state.pages.flatMap((page) => page.rows?.filter(isSelected) ?? []);
  const pick = (row: LogRow, isRange: boolean) => {
    follow(false);
    setGoal(undefined);
    if (row.isEvent) return onSearch({ event: String(row.number), line: undefined });
    const line =
      isRange && chosen
        ? `${chosen.from}-${row.number}`
        : `${row.number}${row.line && row.line > 1 ? `.${row.line}` : ""}`;
    onSearch({ line, event: undefined });
  };
  // Lines are drawn again only when they change.
  const latest = useRef(pick);
  useEffect(() => {
    latest.current = pick;
  });
  const onPick = useCallback((row: LogRow, isRange: boolean) => latest.current(row, isRange), []);
  return (
    <section className="log" aria-label="Log">
      <div className="log-bar">
        <SearchField label="Search the log" value={search.q ?? ""} onChange={(q) => onSearch({ q: q || undefined })} />
        <LogFilters search={search} filter={filter} plan={plan} onSearch={onSearch} />
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
        <Button slim icon="follow" title="Follow (f)" aria-pressed={isFollowing} onClick={() => follow(!isFollowing)}>
          Follow
        </Button>
      </div>
      {state.failure ? <Failed failure={state.failure} retry={() => void log.select(filter)} /> : null}
      <LogLines
        log={log}
        state={state}
        isFollowing={isFollowing}
        onFollow={follow}
        isLive={!isOver(run.status)}
        isWrapped={isWrapped}
        withTime={withTime}
        goal={goal}
        plan={plan}
        sought={filter.text}
        isSelected={isSelected}
        onPick={onPick}
        empty={key === JSON.stringify(EVERYTHING) ? "Nothing was written yet." : "No line matches the filter."}
      />
    </section>
  );
}

/** The line that is shown first, once: that of the address; of a failed run, its failure. */
function useGoal(
  { log, events }: RunFeed,
  state: LogState,
  run: RunView,
  filter: string,
  chosen: ReturnType<typeof parseLines>,
  chosenEvent: number | undefined,
  isFollowing: boolean,
) {
  const [goal, setGoal] = useState<Goal>();
  const failure =
    run.status === "failed" && chosen === undefined && chosenEvent === undefined && !isFollowing
      ? failedEvent(events)
      : undefined;
  const event = chosenEvent ?? failure;
  const isReady = !state.isLoading && state.pages.length > 0;
  const wanted = chosen === undefined ? (event === undefined ? undefined : `e${event}`) : `${chosen.from}`;
  const done = useRef<string>(undefined);
  useEffect(() => {
    const what = `${filter} ${wanted ?? ""}`;
    if (!isReady || wanted === undefined || done.current === what) return;
    done.current = what;
    const isIt = (row: LogRow) =>
      chosen === undefined
        ? row.isEvent && row.number >= (event ?? 0)
        : !row.isEvent && row.number >= chosen.from && (chosen.line === undefined || row.line === chosen.line);
    const load = chosen === undefined ? log.loadEvent(event ?? 0) : log.load(chosen.from);
    // What cannot be read, the panel says by itself.
    void load.then((page) => setGoal({ page, isIt })).catch(() => undefined);
  }, [log, isReady, filter, wanted, chosen, event]);
  const forget = (next: undefined) => {
    setGoal(next);
  };
  return [goal, forget] as const;
}

/** The event that says why a run failed: its last attempt, or what else failed last. */
function failedEvent(events: Event[]): number | undefined {
  const errors = events.filter((event) => eventLevel(event) === "error");
  return (errors.findLast((event) => event.type === "attempt_failed") ?? errors.at(-1))?.seq;
}

interface FiltersProps {
  search: RunSearch;
  filter: LogFilter;
  plan: RunPlan | undefined;
  onSearch: (change: RunSearch) => void;
}

function LogFilters({ search, filter, plan, onSearch }: FiltersProps) {
  return (
    <>
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
    </>
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
