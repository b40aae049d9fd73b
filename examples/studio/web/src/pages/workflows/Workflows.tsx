import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { TemplateInfo, WorkflowSummary } from "workflow-client";

import { count, counted } from "../../format";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Icon, Status } from "../../parts/Icon";
import { SearchField } from "../../parts/SearchField";
import { Empty, Failed, Skeleton } from "../../parts/states";
import { Table, type Column } from "../../parts/Table";
import { Age } from "../../parts/Time";
import { useTitle } from "../../parts/title";
import { client, mayUse, queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { headOf, useHeads } from "../../service/heads";
import { useActions } from "../../shell/actions";
import { runStatus } from "../../words";
import { ImportDialog } from "./ImportDialog";
import { useWorkflows } from "./query";
import { WorkflowMenu } from "./WorkflowMenu";

export interface WorkflowsSearch {
  q?: string | undefined;
  sort?: string | undefined;
  status?: string | undefined;
}

const COLUMNS: Column<WorkflowSummary>[] = [
  {
    name: "Name",
    width: "minmax(200px, 2.4fr)",
    isPlain: true,
    cell: (workflow) => (
      <span className="two">
        <Link to="/workflows/$id" params={{ id: workflow.id }} className="row-link" title={`Edit ${workflow.id}`}>
          {workflow.name ?? workflow.id}
        </Link>
        <span className="muted small ellipsis" title={workflow.description ?? undefined}>
          {workflow.description}
        </span>
      </span>
    ),
  },
  { name: "Id", width: "minmax(110px, 1fr)", cell: (workflow) => <span className="mono ellipsis">{workflow.id}</span> },
  {
    name: "Stages",
    width: "minmax(120px, 1.4fr)",
    isEmpty: (workflow) => workflow.stages.length === 0,
    cell: (workflow) => <Stages stages={workflow.stages} />,
  },
  {
    name: "Last run",
    width: "minmax(150px, 1.1fr)",
    isEmpty: (workflow) => workflow.lastRun === null,
    cell: (workflow) => <LastRun workflow={workflow} />,
  },
  {
    name: "Active",
    width: "56px",
    isNumber: true,
    isEmpty: (workflow) => workflow.activeRuns.length === 0,
    cell: (workflow) =>
      workflow.activeRuns.length === 0 ? (
        <span className="muted">0</span>
      ) : (
        <Link to="/runs" search={{ workflow: workflow.id, status: "pending,running,paused" }}>
          {workflow.activeRuns.length}
        </Link>
      ),
  },
  {
    name: "Problems",
    width: "minmax(90px, 1fr)",
    isEmpty: (workflow) => problemOf(workflow) === undefined,
    cell: (workflow) => <Problems workflow={workflow} />,
  },
  {
    name: "Run",
    width: "76px",
    isPlain: true,
    cell: (workflow) =>
      isRunnable(workflow) ? (
        <Link
          to="/workflows/$id/run"
          params={{ id: workflow.id }}
          className="button slim"
          aria-label={`Run ${workflow.name ?? workflow.id}`}
        >
          <Icon name="play" />
          Run
        </Link>
      ) : (
        <Button slim icon="play" blocked="It has errors">
          Run
        </Button>
      ),
  },
];

const isRunnable = (workflow: WorkflowSummary): boolean =>
  workflow.problem === null && workflow.problems.every((problem) => problem.severity !== "error");

function problemOf(workflow: WorkflowSummary): string | undefined {
  const first = workflow.problems[0];
  if (first === undefined) return workflow.problem ?? undefined;
  return `line ${first.line}: ${first.message}`;
}

function Stages({ stages }: { stages: string[] }) {
  const shown = stages.length > 4 ? stages.slice(0, 3) : stages;
  return (
    <span className="chips" title={stages.join(" → ")}>
      {shown.map((stage) => (
        <span key={stage} className="chip">
          {stage}
        </span>
      ))}
      {stages.length > shown.length ? <span className="chip">+{stages.length - shown.length}</span> : null}
    </span>
  );
}

function LastRun({ workflow: { lastRun } }: { workflow: WorkflowSummary }) {
  useHeads();
  if (lastRun === null) return <span className="muted">–</span>;
  const head = headOf(lastRun.runId);
  return (
    <Link to="/runs/$run/timeline" params={{ run: lastRun.runId }} className="two quiet">
      <Status {...runStatus(head ?? lastRun)} />
      <span className="muted small">{<Age at={lastRun.createdAt} />}</span>
    </Link>
  );
}

function Problems({ workflow }: { workflow: WorkflowSummary }) {
  const problem = problemOf(workflow);
  if (problem === undefined) return null;
  const isError = !isRunnable(workflow);
  return (
    <span className={`status tone-${isError ? "failed" : "waiting"} problem`} title={problem}>
      <Icon name="warning" />
      <span className="ellipsis">{isError ? problem : counted(workflow.problems.length, "warning")}</span>
    </span>
  );
}

export function Workflows() {
  useTitle("Workflows");
  const search: WorkflowsSearch = useSearch({ strict: false });
  const navigate = useNavigate();
  const query = useWorkflows();
  const [isNew, setNew] = useState(false);
  const [isImport, setImport] = useState(false);
  const [menu, setMenu] = useState<string>();
  const columns = useMemo(() => [...COLUMNS, more(setMenu)], []);
  const set = (change: WorkflowsSearch) =>
    void navigate({ to: "/workflows", search: { ...search, ...change }, replace: true });
  const all = query.data?.workflows ?? [];
  const rows = select(all, search);
  const chosen = all.find((workflow) => workflow.id === menu);
  const isFiltered = Boolean(search.q || search.status);
  const blocked = useOffline() ?? (mayUse("edit") ? undefined : "The token of this page does not allow changes");
  useActions([
    { name: "New workflow from a template", run: () => setNew(true), blocked },
    { name: "Import a workflow", run: () => setImport(true), blocked },
    ...all.map(({ id, name }) => ({ name: `More for workflow ${name ?? id}`, run: () => setMenu(id) })),
  ]);
  return (
    <div className="page">
      <header className="page-head">
        <h1>Workflows</h1>
        {query.data ? <span className="muted number">{count(all.length)}</span> : null}
        <span className="grow" />
        {mayUse("edit") ? <Button onClick={() => setImport(true)}>Import</Button> : null}
        {mayUse("edit") && all.length > 0 ? <Button onClick={() => setNew(true)}>New from template</Button> : null}
      </header>
      {all.length > 0 ? (
        <div className="filters" role="search" aria-label="Filter the workflows">
          <SearchField label="Search workflows" value={search.q ?? ""} onChange={(q) => set({ q: q || undefined })} />
          <label className="labelled">
            Last run
            <select
              className="field"
              value={search.status ?? ""}
              onChange={(event) => set({ status: event.target.value || undefined })}
            >
              <option value="">Any</option>
              <option value="active">Active</option>
              <option value="completed">Completed</option>
              <option value="failed">Failed</option>
              <option value="never">Never ran</option>
              <option value="problems">Has problems</option>
            </select>
          </label>
          <label className="labelled">
            Sort
            <select
              className="field"
              value={search.sort ?? ""}
              onChange={(event) => set({ sort: event.target.value || undefined })}
            >
              <option value="">Name</option>
              <option value="id">Id</option>
              <option value="lastRun">Last run</option>
            </select>
          </label>
        </div>
      ) : null}
      {query.isError && all.length === 0 ? (
        <div className="table">
          <Failed failure={query.error} retry={() => void query.refetch()} />
        </div>
      ) : query.isPending ? (
        <Skeleton rows={8} />
      ) : all.length === 0 ? (
        <section className="first">
          <p className="muted">
            There is no workflow here yet. A template becomes a workflow of yours, and runs without an agent.
          </p>
          <Templates />
        </section>
      ) : rows.length === 0 ? (
        <Empty text="No workflow matches the filter.">
          {isFiltered ? (
            <Button onClick={() => void navigate({ to: "/workflows", search: {}, replace: true })}>
              Clear the filter
            </Button>
          ) : null}
        </Empty>
      ) : (
        <Table label="Workflows" columns={columns} rows={rows} total={rows.length} keyOf={(workflow) => workflow.id} />
      )}
      {chosen === undefined ? null : <WorkflowMenu workflow={chosen} onClose={() => setMenu(undefined)} />}
      {isImport ? <ImportDialog onClose={() => setImport(false)} /> : null}
      {isNew ? (
        <Dialog title="New from template" onClose={() => setNew(false)}>
          <div className="body">
            <Templates />
          </div>
        </Dialog>
      ) : null}
    </div>
  );
}

/** The column with what else can be done. */
function more(open: (id: string) => void): Column<WorkflowSummary> {
  return {
    name: "More",
    head: <span className="hidden">More</span>,
    width: "36px",
    isPlain: true,
    cell: (workflow) => (
      <Button
        slim
        kind="plain"
        icon="more"
        aria-label={`More for ${workflow.name ?? workflow.id}`}
        onClick={() => open(workflow.id)}
      />
    ),
  };
}

function select(all: WorkflowSummary[], { q = "", status, sort }: WorkflowsSearch): WorkflowSummary[] {
  const sought = q.toLowerCase();
  const found = all.filter((workflow) => {
    const text = `${workflow.id}\n${workflow.name ?? ""}\n${workflow.description ?? ""}\n${workflow.stages.join("\n")}`;
    if (!text.toLowerCase().includes(sought)) return false;
    if (status === "active") return workflow.activeRuns.length > 0;
    if (status === "never") return workflow.lastRun === null;
    if (status === "problems") return problemOf(workflow) !== undefined;
    return !status || workflow.lastRun?.status === status;
  });
  const name = (workflow: WorkflowSummary) => workflow.name ?? workflow.id;
  return found.sort((a, b) => {
    if (sort === "lastRun") return (b.lastRun?.createdAt ?? "").localeCompare(a.lastRun?.createdAt ?? "");
    return sort === "id" ? a.id.localeCompare(b.id) : name(a).localeCompare(name(b));
  });
}

/** Templates: one click makes a workflow of one, and opens its run dialog. */
function Templates() {
  const navigate = useNavigate();
  const offline = useOffline() ?? (mayUse("edit") ? undefined : "The token of this page does not allow changes");
  const templates = useQuery({
    queryKey: ["templates"],
    queryFn: ({ signal }) => client.call("workflow:templates", {}, { signal }),
  });
  const taken = new Set(useWorkflows().data?.workflows.map((workflow) => workflow.id) ?? []);
  const create = useMutation({
    mutationFn: async (template: TemplateInfo) => {
      let id = template.id;
      for (let n = 2; taken.has(id); n += 1) id = `${template.id}-${n}`;
      await client.call("workflow:create", { id, template: template.id });
      return id;
    },
    onSuccess: (id) => {
      void queries.invalidateQueries({ queryKey: ["workflows"] });
      void navigate({ to: "/workflows/$id/run", params: { id } });
    },
  });
  if (templates.isError) return <Failed failure={templates.error} retry={() => void templates.refetch()} />;
  if (templates.isPending) return <Skeleton rows={5} height={64} />;
  return (
    <>
      {create.isError ? <Failed failure={create.error} /> : null}
      <ul className="templates">
        {templates.data.templates.map((template) => (
          <li key={template.id}>
            <div className="grow">
              <h3>{template.name}</h3>
              <p className="muted">{template.description}</p>
              <Stages stages={template.stages} />
            </div>
            <Button
              blocked={offline ?? (create.isPending ? "A workflow is being created" : undefined)}
              onClick={() => create.mutate(template)}
              aria-label={`Use ${template.name}`}
            >
              Use
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}
