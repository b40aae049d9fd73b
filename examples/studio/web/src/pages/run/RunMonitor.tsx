import { useLocation, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import type { RunDetail } from "workflow-client";

import { Failed, Skeleton } from "../../parts/states";
import { useNarrow } from "../../parts/narrow";
import { useTitle } from "../../parts/title";
import { useRunFeed, type RunFeed } from "../../run/feed";
import { codeOf } from "../../service/client";
import { useActions } from "../../shell/actions";
import { alertNow, announce, notice } from "../../shell/notices";
import { isOver, needsPerson, runStatus } from "../../words";
import { AttentionBand } from "./AttentionBand";
import { CostPanel } from "./CostPanel";
import { DataPanel } from "./DataPanel";
import { EventsPanel } from "./EventsPanel";
import { Inspector } from "./Inspector";
import { LogPanel } from "./LogPanel";
import { RunHeader } from "./RunHeader";
import { Splitter } from "./Splitter";
import { StageTimeline } from "./StageTimeline";
import { usePlan, useRun, type RunSearch } from "./query";

const RunGraph = lazy(() => import("./RunGraph").then(({ RunGraph }) => ({ default: RunGraph })));
const ChangesPanel = lazy(() => import("./ChangesPanel").then(({ ChangesPanel }) => ({ default: ChangesPanel })));

/** A run: what it needs, how far it is, what it writes. */
export function RunMonitor() {
  const { run: runId } = useParams({ strict: false }) as { run: string };
  const run = useRun(runId);
  const feed = useRunFeed(runId, true);
  const navigate = useNavigate();
  useTitle(runId);
  const isMissing = codeOf(run.error) === "not_found";
  useEffect(() => {
    if (!isMissing) return;
    notice(`There is no run ${runId}. These are the runs.`);
    void navigate({ to: "/runs", replace: true });
  }, [isMissing, runId, navigate]);
  if (isMissing) return null;
  if (run.data === undefined) {
    return (
      <div className="page">
        {run.isError ? (
          <div className="page-head">
            <Failed failure={run.error} retry={() => void run.refetch()} />
          </div>
        ) : (
          <Skeleton rows={14} />
        )}
      </div>
    );
  }
  return <Monitor key={runId} detail={run.data} feed={feed} />;
}

function Monitor({ detail, feed }: { detail: RunDetail; feed: RunFeed }) {
  const { run } = detail;
  const search: RunSearch = useSearch({ strict: false });
  const navigate = useNavigate();
  const plan = usePlan(run.runId).data;
  const isNarrow = useNarrow();
  const [share, setShare] = useState(40);
  useAnnouncements(detail);
  const view = useLocation({ select: ({ pathname }) => (pathname.endsWith("/graph") ? "graph" : "timeline") });
  const to = view === "graph" ? "/runs/$run/graph" : "/runs/$run/timeline";
  const select = (change: RunSearch) =>
    void navigate({ to, params: { run: run.runId }, search: { ...search, ...change }, replace: true });
  const show = (next: string) =>
    void navigate({
      to: next === "graph" ? "/runs/$run/graph" : "/runs/$run/timeline",
      params: { run: run.runId },
      search: { ...search, ...(isNarrow ? { tab: next === "graph" ? undefined : "stages", dock: undefined } : {}) },
      replace: true,
    });
  const selectPlace = useCallback(
    (at: string | undefined) =>
      void navigate({
        to,
        params: { run: run.runId },
        search: (before: RunSearch) => ({ ...before, at, attempt: undefined }),
        replace: true,
      }),
    [navigate, to, run.runId],
  );
  const header = (
    <RunHeader detail={detail} feed={feed} plan={plan} show={search.show} onShow={(show) => select({ show })} />
  );
  const graph = (
    <Suspense fallback={<Skeleton rows={6} />}>
      <RunGraph feed={feed} at={search.at} onSelect={selectPlace} />
    </Suspense>
  );
  const timeline = (
    <StageTimeline
      feed={feed}
      plan={plan}
      at={search.at}
      attempt={search.attempt === undefined ? undefined : Number(search.attempt)}
      onSelect={(at, attempt) => select({ at, attempt: attempt === undefined ? undefined : String(attempt) })}
    />
  );
  const log = <LogPanel feed={feed} run={run} search={search} onSearch={select} plan={plan} />;
  const panel = (id: string) => {
    if (id === "data") return <DataPanel run={run} />;
    if (id === "cost") return <CostPanel run={run} feed={feed} plan={plan} />;
    if (id === "events") return <EventsPanel feed={feed} plan={plan} search={search} to={to} />;
    if (id !== "changes") return log;
    return (
      <Suspense fallback={<Skeleton rows={6} />}>
        <ChangesPanel run={run} feed={feed} />
      </Suspense>
    );
  };
  const inspector =
    search.at === undefined ? null : (
      <Inspector feed={feed} plan={plan} at={search.at} attempt={search.attempt} onSelect={select} />
    );
  const docks = [
    { id: "log", name: "Log" },
    { id: "data", name: "Data" },
    { id: "changes", name: "Changes" },
    { id: "events", name: "Events" },
    { id: "cost", name: "Cost" },
  ];
  useActions([
    { name: "Show the timeline", run: () => show("timeline") },
    { name: "Show the graph", run: () => show("graph") },
    ...docks.map(({ id, name }) => ({
      name: `Show ${name.toLowerCase()} of this run`,
      run: () => select({ tab: undefined, dock: id }),
    })),
  ]);
  const dock = docks.some(({ id }) => id === search.dock) ? (search.dock as string) : "log";
  if (isNarrow) {
    const isDocked = search.dock !== undefined && search.tab === undefined;
    const tab = isDocked ? dock : view === "graph" ? "graph" : "stages";
    return (
      <div className="page run is-narrow">
        {header}
        <AttentionBand run={run} feed={feed} plan={plan} onSelect={select} />
        <Tabs
          label="Parts of the run"
          tabs={[{ id: "stages", name: "Stages" }, { id: "graph", name: "Graph" }, ...docks]}
          current={tab}
          onSelect={(id) => (id === "stages" || id === "graph" ? show(id) : select({ tab: undefined, dock: id }))}
        />
        <div className="narrow-part">{tab === "stages" ? timeline : tab === "graph" ? graph : panel(tab)}</div>
        {inspector}
      </div>
    );
  }
  return (
    <div className="page run">
      {header}
      <AttentionBand run={run} feed={feed} plan={plan} onSelect={select} />
      <div className={`run-body${inspector === null ? "" : " has-inspector"}`}>
        <div className="run-left">
          <Tabs
            label="Course"
            tabs={[
              { id: "timeline", name: "Timeline" },
              { id: "graph", name: "Graph" },
            ]}
            current={view}
            onSelect={show}
          />
          <div className="run-top" style={view === "graph" ? { height: `${share}%` } : { maxHeight: `${share}%` }}>
            {view === "graph" ? graph : timeline}
          </div>
          <Splitter share={share} onShare={setShare} />
          <div className="run-dock">
            <Tabs label="Dock" tabs={docks} current={dock} onSelect={(id) => select({ dock: id })} />
            {panel(dock)}
          </div>
        </div>
        {inspector}
      </div>
    </div>
  );
}

interface TabsProps {
  label: string;
  tabs: { id: string; name: string }[];
  current: string;
  onSelect: (id: string) => void;
}

function Tabs({ label, tabs, current, onSelect }: TabsProps) {
  return (
    <div className="tabs" role="tablist" aria-label={label}>
      {tabs.map(({ id, name }, index) => (
        <button
          key={id}
          type="button"
          role="tab"
          aria-selected={id === current}
          tabIndex={id === current ? 0 : -1}
          onClick={() => onSelect(id)}
          onKeyDown={(event) => {
            const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            const next = tabs[(index + by + tabs.length) % tabs.length];
            if (by === 0 || next === undefined) return;
            onSelect(next.id);
            (event.currentTarget.parentElement?.children[tabs.indexOf(next)] as HTMLElement | undefined)?.focus();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

/** Tells screen readers what has changed: at once only what needs a person, and that the run has ended. */
function useAnnouncements({ run }: RunDetail): void {
  const { word, reason } = runStatus(run);
  const said = reason === undefined ? word : `${word}: ${reason}`;
  const stage = run.currentStage;
  const waits = run.wait ?? null;
  const isUrgent = isOver(run.status) || (waits !== null && needsPerson(waits.reason));
  const [first] = useState(said);
  useEffect(() => {
    if (said === first) return;
    if (isUrgent) alertNow(`Run ${said.toLowerCase()}${waits?.question ? `: ${waits.question}` : ""}`);
    else announce(`Run ${said.toLowerCase()}`);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [said]);
  useEffect(() => {
    if (stage !== null) announce(`Stage ${stage}`);
  }, [stage]);
}
