import { Link, useBlocker, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import type { Fix, Problem, WorkflowDetail } from "workflow-client";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Icon } from "../../parts/Icon";
import { useNarrow } from "../../parts/narrow";
import { Failed, Skeleton } from "../../parts/states";
import { Tabs } from "../../parts/Tabs";
import { useTitle } from "../../parts/title";
import { codeOf, mayUse } from "../../service/client";
import { useOffline } from "../../service/contact";
import { announce, notice, toast } from "../../shell/notices";
import { EditorForm } from "./EditorForm";
import { EditorGraph } from "./EditorGraph";
import { nameOf } from "./fields";
import { Notes } from "./Notes";
import { fieldAt, linesOf, sectionOf } from "./places";
import { Problems } from "./Problems";
import { useChecked, useFile, useKnown } from "./query";
import { useEditorKeys } from "./useEditorKeys";
import { useFileText } from "./useFileText";
import { useForm } from "./useForm";
import { YamlText } from "./YamlText";
import { YamlView, type TextPlace } from "./yaml/view";

const VIEWS = [
  { id: "split", name: "Split" },
  { id: "form", name: "Form" },
  { id: "yaml", name: "YAML" },
  { id: "graph", name: "Graph" },
];

interface Search {
  view?: string | undefined;
  /** A field, as `test.retries`, or a part of the form, as `test`. */
  field?: string | undefined;
  line?: string | undefined;
}

/** A workflow: a form for its fields, the text of its file, its graph, and what is wrong with it. */
export function Editor() {
  const { id } = useParams({ strict: false }) as { id: string };
  const navigate = useNavigate();
  const file = useFile(id);
  useTitle(id);
  const isMissing = codeOf(file.error) === "not_found";
  useEffect(() => {
    if (!isMissing) return;
    notice(`There is no workflow ${id}. These are the workflows.`);
    void navigate({ to: "/workflows", replace: true });
  }, [isMissing, id, navigate]);
  if (file.data !== undefined) return <Loaded key={id} file={file.data} reload={() => void file.refetch()} />;
  return (
    <div className="page">
      <header className="page-head">
        <h1>{id}</h1>
      </header>
      {file.isError ? (
        <Failed failure={file.error} retry={() => void file.refetch()} />
      ) : (
        <Skeleton rows={8} height={40} />
      )}
    </div>
  );
}

function Loaded({ file, reload }: { file: WorkflowDetail; reload: () => void }) {
  const { id } = file;
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const offline = useOffline();
  const isNarrow = useNarrow();
  const [yaml] = useState(() => new YamlView(file.text));
  const own = useFileText(file, yaml, reload);
  const { text, base, save } = own;

  const checked = useChecked(id, text);
  const isCurrent = checked?.text === text;
  const problems = useMemo(() => checked?.diagnostics ?? [], [checked]);
  const values = checked?.values ?? undefined;
  // While the text cannot be read, the form shows what it was before, and waits.
  const [readable, setReadable] = useState({ model: file.model, ranges: file.ranges });
  const isReadable = (values?.model ?? null) !== null;
  if (values !== undefined && isReadable && values.ranges !== readable.ranges) {
    setReadable({ model: values.model, ranges: values.ranges });
  }
  const unreadable = values !== undefined && !isReadable ? Math.max(1, problems[0]?.line ?? 1) : undefined;
  const { model, ranges } = readable;
  const known = { ...useKnown(), stages: values?.stages ?? [] };
  const form = useForm(yaml, isCurrent);
  const isDirty = own.isDirty || form.isPending;

  const at = search.field;
  const views = isNarrow ? ["form", "yaml", "graph", "problems"] : VIEWS.map((view) => view.id);
  const view = views.includes(search.view ?? "") ? (search.view as string) : (views[0] as string);
  const select = (change: Search) =>
    void navigate({ to: "/workflows/$id", params: { id }, search: { ...search, ...change }, replace: true });
  const show = (part: string): Search => ({
    view: isNarrow ? part : view === "split" || view === part ? search.view : part,
  });

  const goTo = (place: TextPlace) => {
    select({ ...show("yaml"), line: String(place.line), field: fieldAt(ranges, place) ?? at });
    yaml.goTo(place);
    // In a tab that is hidden the text cannot have the focus: it is shown first. Where it has it, a later call would take it
    // from what the next key chose.
    if (!yaml.hasFocus) setTimeout(() => yaml.goTo(place), isNarrow ? 50 : 0);
  };
  const goToProblem = (problem: Problem) => {
    announce(problem.message);
    goTo(problem);
  };
  const findField = (path: string) => {
    const lines = linesOf(ranges, path);
    if (lines !== undefined) goTo({ line: lines.from, column: ranges[path]?.column ?? 1 });
  };
  const applyFix = (fix: Fix) => {
    if (isCurrent) yaml.apply(fix);
  };
  const [choice, choose] = useState<{ problem: Problem }>();

  // The text, the form and the graph show the same place.
  const latest = useRef({ select, ranges, applyFix });
  useEffect(() => {
    latest.current = { select, ranges, applyFix };
  });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    yaml.onCursor = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const place = yaml.cursor;
        const field = fieldAt(latest.current.ranges, place);
        latest.current.select({ line: String(place.line), ...(field === undefined ? {} : { field }) });
      }, 150);
    };
    yaml.onFix = (fix) => latest.current.applyFix(fix);
    return () => clearTimeout(timer);
  }, [yaml]);
  useEffect(() => {
    if (isCurrent) yaml.showProblems(problems);
  }, [isCurrent, problems, yaml]);
  useEffect(() => {
    if (!isCurrent || at === undefined) return;
    if (yaml.hasFocus) yaml.link(undefined);
    else if (at.includes(".")) yaml.link(linesOf(ranges, at));
  }, [at, isCurrent, ranges, yaml]);
  const [opened] = useState(search);
  useEffect(() => {
    const line = Number(opened.line);
    if (Number.isInteger(line) && line > 0) yaml.goTo({ line, column: 1 }, false);
    else if (opened.field?.includes(".")) {
      document.querySelector<HTMLElement>(`[data-path="${CSS.escape(opened.field)}"]`)?.focus();
    }
  }, [opened, yaml]);

  const cannot =
    offline ??
    (mayUse("edit") ? undefined : "The token of this page does not allow changes") ??
    (file.protected ? "The workflow is protected: remove `protected: true` from its file first" : undefined) ??
    (save.isPending ? "It is being saved" : undefined);
  const isBlocked = cannot !== undefined && !(file.protected && own.isDirty && !/protected:\s*true/.test(text));
  const saveNow = async () => {
    await form.commit();
    if (yaml.read() === base.text || isBlocked) return true;
    return save.mutateAsync(base.version).then(
      () => true,
      () => false,
    );
  };
  const hasErrors = checked?.valid === false;
  const leave = useRef(false);
  const saveAndRun = async () => {
    if (hasErrors || isBlocked) return toast(hasErrors ? "It has errors: it cannot be run" : (cannot ?? ""));
    if (!(await saveNow())) return;
    leave.current = true;
    void navigate({ to: "/workflows/$id/run", params: { id } });
  };
  useEditorKeys({
    yaml,
    problems,
    at,
    isWritten: (path) => form.written[path]?.isSent === false,
    drop: form.drop,
    save: () => void saveNow(),
    run: () => void saveAndRun(),
    goTo: goToProblem,
    fix: applyFix,
    choose: (problem) => {
      if (isNarrow) select({ view: "problems" });
      choose({ problem });
    },
  });
  const leaving = useBlocker({
    shouldBlockFn: ({ current, next }) => isDirty && !leave.current && current.pathname !== next.pathname,
    enableBeforeUnload: () => isDirty,
    withResolver: true,
  });

  const isShown = (part: string) => view === part || (view === "split" && part !== "problems");
  const count = problems.length > 0 ? ` ${problems.length}` : "";
  return (
    <div className="page editor" data-view={view}>
      <header className="page-head">
        <nav aria-label="Place" className="crumbs">
          <Link to="/workflows">Workflows</Link>
          <Icon name="open" />
        </nav>
        <h1 className="ellipsis">{nameOf(model) ?? id}</h1>
        {isDirty ? <span className="status tone-waiting">Not saved</span> : null}
        <span className="grow" />
        {isNarrow ? null : (
          <div className="joined" role="group" aria-label="View">
            {VIEWS.map(({ id: each, name }) => (
              <Button key={each} aria-pressed={view === each} onClick={() => select({ view: each })}>
                {name}
              </Button>
            ))}
          </div>
        )}
        <Link className="button" to="/runs" search={{ workflow: id }}>
          Runs
        </Link>
        {own.isDirty && !isNarrow ? <Button onClick={own.discard}>Discard</Button> : null}
        <Button
          kind={isDirty ? "primary" : undefined}
          blocked={isBlocked ? cannot : isDirty ? undefined : "Nothing was changed"}
          onClick={() => void saveNow()}
        >
          Save
        </Button>
        {isDirty || hasErrors ? (
          <Button
            icon="play"
            blocked={hasErrors ? "It has errors" : isBlocked ? cannot : undefined}
            onClick={() => void saveAndRun()}
          >
            {isDirty && !isNarrow ? "Save and run" : "Run"}
          </Button>
        ) : (
          <Link className="button primary" to="/workflows/$id/run" params={{ id }}>
            <Icon name="play" />
            Run
          </Link>
        )}
      </header>
      <Notes file={own} theirs={file.text} version={file.version} />
      {isNarrow ? (
        <Tabs
          label="View"
          tabs={[...VIEWS.slice(1), { id: "problems", name: `Problems${count}` }]}
          current={view}
          onSelect={(part) => select({ view: part })}
        />
      ) : null}
      <div className="editor-parts">
        <section className="editor-form" aria-label="Form" hidden={!isShown("form")}>
          <EditorForm
            id={id}
            model={model}
            known={known}
            form={form}
            problems={problems}
            at={at}
            unreadable={unreadable}
            onSelect={(path) => {
              select({ field: path, line: undefined });
              yaml.link(linesOf(ranges, path));
            }}
            onFocus={(path) => select({ field: path, line: undefined })}
            onFind={findField}
            onLine={(line) => goTo({ line, column: 1 })}
          />
        </section>
        <section className="editor-text" aria-label="Text" hidden={!isShown("yaml")}>
          <YamlText yaml={yaml} />
          <p className="muted small ellipsis" title={file.origin}>
            {file.origin.split("/").slice(-2).join("/")}
          </p>
        </section>
        {isShown("graph") ? (
          <section className="editor-graph" aria-label="Definition">
            <EditorGraph
              id={id}
              text={isCurrent && checked.valid ? text : undefined}
              problems={problems}
              selected={at === undefined ? undefined : sectionOf(at)}
              isWide={view === "graph" && !isNarrow}
              onSelect={(stage) => {
                select({ ...(isNarrow ? { view: "form" } : {}), field: stage });
                yaml.link(linesOf(ranges, stage));
              }}
            />
          </section>
        ) : null}
        <div className="editor-problems" hidden={isNarrow && view !== "problems"}>
          <Problems
            problems={problems}
            isKnown={checked !== undefined}
            choose={isNarrow && view !== "problems" ? undefined : choice}
            onFind={goToProblem}
            onFix={applyFix}
          />
        </div>
      </div>
      {leaving.status === "blocked" ? (
        <Dialog title="The changes are not saved" onClose={leaving.reset}>
          <div className="body">
            <p>Leaving the page discards the changes of {id}.</p>
          </div>
          <footer>
            <span className="grow" />
            <Button onClick={leaving.reset}>Stay</Button>
            <Button kind="danger" onClick={leaving.proceed}>
              Discard and leave
            </Button>
          </footer>
        </Dialog>
      ) : null}
    </div>
  );
}
