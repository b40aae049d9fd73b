import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import type { RunRecord } from "workflow-client";

import { cost, count, counted, duration, elapsed, shortCost } from "../../format";
import { Button } from "../../parts/Button";
import { Icon, Status } from "../../parts/Icon";
import { SearchField } from "../../parts/SearchField";
import { Empty, Failed, Skeleton } from "../../parts/states";
import { FilterBox } from "../../parts/FilterBox";
import { Table, type Column } from "../../parts/Table";
import { Moment, useNow } from "../../parts/Time";
import { useTitle } from "../../parts/title";
import { mayUse } from "../../service/client";
import { useOffline } from "../../service/contact";
import { allHeads, useHeads } from "../../service/heads";
import { useActions } from "../../shell/actions";
import { isOver, isUnclaimed, runStatus } from "../../words";
import { useWorkflows } from "../workflows/query";
import { allMatching, freeze, type Frozen } from "./bulk";
import { BulkDelete } from "./BulkDelete";
import { request, useRuns, type RunsSearch } from "./query";

const COLUMNS: Column<RunRecord>[] = [
  { name: "Status", width: "minmax(150px, 1.3fr)", isPlain: true, cell: (run) => <RunStatusCell run={run} /> },
  {
    name: "Workflow",
    width: "minmax(110px, 1.2fr)",
    cell: (run) => (
      <Link to="/runs" search={{ workflow: run.workflowId }} className="ellipsis quiet" title={run.workflowId}>
        {run.workflowId}
      </Link>
    ),
  },
  {
    name: "Run",
    width: "minmax(140px, 1.6fr)",
    cell: (run) => (
      <Link to="/runs/$run/timeline" params={{ run: run.runId }} className="row-link ellipsis mono" title={run.runId}>
        {run.runId}
      </Link>
    ),
  },
  { name: "Started", width: "108px", cell: (run) => <Moment at={run.startedAt ?? run.createdAt} /> },
  { name: "Duration", width: "84px", isNumber: true, cell: (run) => <RunDuration run={run} /> },
  {
    name: "Stage",
    width: "minmax(72px, 0.8fr)",
    isEmpty: (run) => isOver(run.status) || !run.progress?.currentStage,
    cell: (run) => <span className="ellipsis muted">{isOver(run.status) ? "" : run.progress?.currentStage}</span>,
  },
  {
    name: "Iteration",
    width: "64px",
    isNumber: true,
    isEmpty: (run) => !run.progress,
    cell: (run) => run.progress?.iteration ?? "–",
  },
  {
    name: "Cost",
    width: "84px",
    isNumber: true,
    isEmpty: (run) => !run.progress || run.progress.spent.attempts === 0,
    cell: (run) => {
      const spent = run.progress?.spent;
      return spent === undefined ? "unknown" : <span title={cost(spent)}>{shortCost(spent)}</span>;
    },
  },
];

/** The column with the runs that a run continues, or that continue it: of those that the page knows. */
function forks(continued: ReadonlyMap<string, string>): Column<RunRecord> {
  const link = (run: string) => (
    <Link to="/runs/$run/timeline" params={{ run }} className="ellipsis mono" title={run}>
      {run}
    </Link>
  );
  return {
    name: "Forks",
    width: "minmax(110px, 1.2fr)",
    isEmpty: (run) => !run.forkedFrom && !continued.has(run.runId),
    cell: (run) => {
      const next = continued.get(run.runId);
      return (
        <span className="forks">
          {run.forkedFrom ? (
            <span className="two">
              <span className="muted small">from</span>
              {link(run.forkedFrom)}
            </span>
          ) : null}
          {next === undefined ? null : (
            <span className="two">
              <span className="muted small">continued in</span>
              {link(next)}
            </span>
          )}
        </span>
      );
    },
  };
}

/** The newest fork of each run, of the runs that the page knows. */
function useForks(rows: RunRecord[]): ReadonlyMap<string, string> {
  const version = useHeads();
  return useMemo(() => {
    const known = [...allHeads(), ...rows].filter((run) => run.forkedFrom);
    known.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
    return new Map(known.map((run) => [run.forkedFrom ?? "", run.runId]));
    // Heads are kept outside of the component: their version says that they have changed.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [rows, version]);
}

function RunStatusCell({ run }: { run: RunRecord }) {
  return (
    <span className="two">
      <Status {...runStatus(run)} />
      {isUnclaimed(run) ? <span className="muted small ellipsis">no process drives it</span> : null}
      {run.status === "failed" && run.error ? (
        <span className="muted small ellipsis" title={run.error.message}>
          {run.error.message}
        </span>
      ) : null}
    </span>
  );
}

function RunDuration({ run }: { run: RunRecord }) {
  const now = useNow();
  if (!run.startedAt) return <>–</>;
  const from = Date.parse(run.startedAt);
  return <>{run.completedAt ? duration(Date.parse(run.completedAt) - from) : elapsed(now - from)}</>;
}

export function RunHistory() {
  useTitle("Runs");
  const search: RunsSearch = useSearch({ strict: false });
  const navigate = useNavigate();
  const { query, rows, waiting, showNew, total } = useRuns(search);
  const workflows = useWorkflows();
  const set = (change: RunsSearch) => void navigate({ to: "/runs", search: { ...search, ...change }, replace: true });
  const isFiltered = Object.values(search).some(Boolean);
  const names = new Set(workflows.data?.workflows.map((workflow) => workflow.id) ?? []);
  if (search.workflow) names.add(search.workflow);
  const clear = () => void navigate({ to: "/runs", search: {}, replace: true });
  useActions([
    { name: "Clear the filter", run: clear, blocked: isFiltered ? undefined : "Nothing is filtered" },
    { name: "Show active runs", run: () => set({ status: "pending,running,paused" }) },
    { name: "Show failed runs", run: () => set({ status: "failed" }) },
  ]);
  const [chosen, choose] = useState<ReadonlyMap<string, RunRecord>>(new Map());
  // The control that deleted them goes with the last of the chosen runs.
  const hasChosen = chosen.size > 0;
  const had = useRef(false);
  useEffect(() => {
    if (had.current && !hasChosen && document.activeElement === document.body) {
      document.querySelector<HTMLElement>("[data-search]")?.focus({ preventScroll: true });
    }
    had.current = hasChosen;
  }, [hasChosen]);
  const continued = useForks(rows);
  const columns = useMemo(() => [selection(chosen, choose), ...COLUMNS, forks(continued)], [chosen, continued]);
  return (
    <div className="page">
      <header className="page-head">
        <h1>Runs</h1>
        {total === undefined ? null : <span className="muted number">{count(total)}</span>}
        <span className="grow" />
        {waiting > 0 ? (
          <Button slim aria-pressed="true" onClick={showNew}>
            {count(waiting)} new
          </Button>
        ) : null}
      </header>
      <div className="filters" role="search" aria-label="Filter the runs">
        <SearchField label="Search runs" value={search.q ?? ""} onChange={(q) => set({ q })} />
        <FilterBox count={Object.entries(search).filter(([name, value]) => name !== "q" && value).length}>
          <label className="labelled">
            Status
            <select
              className="field"
              value={search.status ?? ""}
              onChange={(event) => set({ status: event.target.value })}
            >
              <option value="">All</option>
              <option value="pending,running,paused">Active</option>
              <option value="pending">Pending</option>
              <option value="running">Running</option>
              <option value="paused">Paused</option>
              <option value="completed">Completed</option>
              <option value="failed">Failed</option>
              <option value="cancelled">Cancelled</option>
            </select>
          </label>
          <label className="labelled">
            Waits for
            <select className="field" value={search.wait ?? ""} onChange={(event) => set({ wait: event.target.value })}>
              <option value="">Anything</option>
              <option value="approval,question,unknown_outcome,crashes">A person</option>
              <option value="quota">A quota</option>
              <option value="pause">Resume</option>
              <option value="retry">A retry</option>
              <option value="timer">A time</option>
              <option value="signal">A signal</option>
              <option value="child">Another run</option>
            </select>
          </label>
          <label className="labelled">
            Workflow
            <select
              className="field"
              value={search.workflow ?? ""}
              onChange={(event) => set({ workflow: event.target.value })}
            >
              <option value="">All</option>
              {[...names].map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label className="labelled">
            From
            <input
              className="field"
              type="date"
              value={search.from ?? ""}
              onChange={(event) => set({ from: event.target.value })}
            />
          </label>
          <label className="labelled">
            to
            <input
              className="field"
              type="date"
              value={search.to ?? ""}
              onChange={(event) => set({ to: event.target.value })}
            />
          </label>
        </FilterBox>
        {isFiltered ? (
          <Button kind="plain" icon="close" onClick={clear}>
            Clear
          </Button>
        ) : null}
      </div>
      {chosen.size > 0 ? <Chosen chosen={chosen} total={total} search={search} onChoose={choose} /> : null}
      {query.isError && rows.length === 0 ? (
        <div className="table">
          <Failed failure={query.error} retry={() => void query.refetch()} />
        </div>
      ) : query.isPending ? (
        <Skeleton rows={12} />
      ) : rows.length === 0 ? (
        isFiltered ? (
          <Empty text="No run matches the filter.">
            <Button onClick={clear}>Clear the filter</Button>
          </Empty>
        ) : (
          <Empty text="Nothing has run yet.">
            <Link to="/workflows" className="button primary">
              <Icon name="workflows" />
              Choose a workflow
            </Link>
          </Empty>
        )
      ) : (
        <Table
          label="Runs"
          columns={columns}
          rows={rows}
          total={total}
          keyOf={(run) => run.runId}
          onEnd={() => {
            if (query.hasNextPage && !query.isFetching) void query.fetchNextPage();
          }}
        />
      )}
    </div>
  );
}

/** The column with which rows are chosen. */
function selection(
  chosen: ReadonlyMap<string, RunRecord>,
  choose: (chosen: ReadonlyMap<string, RunRecord>) => void,
): Column<RunRecord> {
  return {
    name: "Choose",
    head: <span className="hidden">Choose</span>,
    width: "28px",
    isPlain: true,
    cell: (run) => (
      <input
        type="checkbox"
        className="row-check"
        aria-label={`Choose ${run.runId}`}
        checked={chosen.has(run.runId)}
        onChange={(event) => {
          const next = new Map(chosen);
          if (event.target.checked) next.set(run.runId, run);
          else next.delete(run.runId);
          choose(next);
        }}
      />
    ),
  };
}

interface ChosenProps {
  chosen: ReadonlyMap<string, RunRecord>;
  total: number | undefined;
  search: RunsSearch;
  onChoose: (chosen: ReadonlyMap<string, RunRecord>) => void;
}

/** What can be done with the runs that were chosen. */
function Chosen({ chosen, total, search, onChoose }: ChosenProps) {
  const offline = useOffline();
  const [frozen, setFrozen] = useState<Frozen>();
  // The older one first.
  const pair = [...chosen.values()].sort((a, b) => a.createdAt.localeCompare(b.createdAt)).map((run) => run.runId);
  const all = useMutation({
    mutationFn: () => allMatching(request(search)),
    onSuccess: (runs) => onChoose(new Map(runs.map((run) => [run.runId, run]))),
  });
  return (
    <div className="chosen" role="region" aria-label="Chosen runs">
      <span className="number" role="status">
        {counted(chosen.size, "run")} chosen
      </span>
      {total !== undefined && total > chosen.size ? (
        <Button
          slim
          blocked={offline ?? (all.isPending ? "They are being listed" : undefined)}
          onClick={() => all.mutate()}
        >
          Choose all {count(total)} {Object.values(search).some(Boolean) ? "matching" : ""} runs
        </Button>
      ) : null}
      <Button slim kind="plain" icon="close" onClick={() => onChoose(new Map())}>
        Choose none
      </Button>
      <span className="grow" />
      {chosen.size === 2 ? (
        <Link to="/runs/compare" search={{ a: pair[0], b: pair[1] }} className="button slim">
          Compare
        </Link>
      ) : null}
      <Button
        slim
        kind="danger"
        blocked={offline ?? (mayUse("admin") ? undefined : "The token of this page does not allow deleting")}
        onClick={() => setFrozen(freeze(chosen.values()))}
      >
        Delete
      </Button>
      {all.isError ? <Failed failure={all.error} /> : null}
      {frozen === undefined ? null : (
        <BulkDelete
          frozen={frozen}
          onClose={(gone) => {
            setFrozen(undefined);
            if (gone.length === 0) return;
            const next = new Map(chosen);
            for (const runId of gone) next.delete(runId);
            onChoose(next);
          }}
        />
      )}
    </div>
  );
}
