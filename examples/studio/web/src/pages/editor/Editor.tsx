import { useMutation } from "@tanstack/react-query";
import { Link, useBlocker, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Fix, Problem, UpdateWorkflow, WorkflowDetail } from "workflow-client";

import { counted, moment } from "../../format";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Icon } from "../../parts/Icon";
import { Failed, Skeleton } from "../../parts/states";
import { useTitle } from "../../parts/title";
import { client, codeOf, mayUse, queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { notice, toast } from "../../shell/notices";
import { printable } from "../run/DataPanel";
import { dropDraft, keepDraft, readDraft, type Draft } from "./drafts";
import { stagesOf } from "./fields";
import { useFile, useProblems } from "./query";
import { StageForm } from "./StageForm";
import { applyFix, diffLines } from "./texts";
import { YamlText, type Place } from "./YamlText";

/** How long nothing is typed until a draft is kept, in milliseconds. */
const DRAFT = 500;

/** A workflow: a form for the fields of each stage, beside the text of its file with what is wrong in it. */
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
  const search: { stage?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const offline = useOffline();
  /** The text that was typed, and the version that it began with; undefined if it is that of the file. */
  const [typed, setTyped] = useState<{ text: string; version: string }>();
  const [isFormDirty, setFormDirty] = useState(false);
  const [place, setPlace] = useState<Place>();
  const text = typed?.text ?? file.text;
  const isTextDirty = typed !== undefined && typed.text !== file.text;
  const isDirty = isTextDirty || isFormDirty;
  const checked = useProblems(id, text);
  const problems = checked.data?.diagnostics ?? [];
  const stages = stagesOf(file.model) ?? [];
  const stage = search.stage !== undefined && stages.includes(search.stage) ? search.stage : stages[0];
  const update = useMutation({
    mutationFn: (request: UpdateWorkflow) => client.call("workflow:update", request),
    onSuccess: () => {
      setTyped(undefined);
      setFormDirty(false);
      void dropDraft(id);
      toast(`Saved ${id}`);
      void queries.invalidateQueries({ queryKey: ["workflows"] });
      reload();
    },
  });
  const leaving = useBlocker({
    shouldBlockFn: ({ current, next }) => isDirty && current.pathname !== next.pathname,
    enableBeforeUnload: () => isDirty,
    withResolver: true,
  });
  const cannot =
    offline ??
    (mayUse("edit") ? undefined : "The token of this page does not allow changes") ??
    (file.protected ? "The workflow is protected: remove `protected: true` from its file first" : undefined) ??
    (update.isPending ? "It is being saved" : undefined);
  const saveText = () => {
    if (cannot === undefined && isTextDirty) update.mutate({ id, version: typed.version, text: typed.text });
  };
  const find = (line: number, column: number) =>
    setPlace((before) => ({ line, column, request: (before?.request ?? 0) + 1 }));
  const isStale = codeOf(update.error) === "stale" || (isTextDirty && typed.version !== file.version);
  const [isComparing, compare] = useState(false);
  const discard = () => {
    update.reset();
    setTyped(undefined);
    void dropDraft(id);
    reload();
  };

  // What was typed outlives the page.
  const [draft, setDraft] = useState<Draft>();
  const [first] = useState(file.text);
  useEffect(() => {
    void readDraft(id).then((found) => setDraft(found?.text === first ? undefined : found));
  }, [id, first]);
  useEffect(() => {
    if (!isTextDirty) return;
    const timer = setTimeout(() => void keepDraft({ id, ...typed, at: Date.now() }), DRAFT);
    return () => clearTimeout(timer);
  }, [id, isTextDirty, typed]);
  return (
    <div className="page editor">
      <header className="page-head">
        <nav aria-label="Place" className="crumbs">
          <Link to="/workflows">Workflows</Link>
          <Icon name="open" />
        </nav>
        <h1 className="ellipsis">{nameOf(file.model) ?? id}</h1>
        {isDirty ? <span className="status tone-waiting">Not saved</span> : null}
        <span className="grow" />
        <Link className="button" to="/runs" search={{ workflow: id }}>
          Runs
        </Link>
        {isDirty || checked.data?.valid === false ? (
          <Button icon="play" blocked={isDirty ? "Save or discard the changes first" : "It has errors"}>
            Run
          </Button>
        ) : (
          <Link className="button primary" to="/workflows/$id/run" params={{ id }}>
            <Icon name="play" />
            Run
          </Link>
        )}
      </header>
      {isStale ? (
        <div className="note tone-waiting editor-note" role="alert">
          <span className="grow">The file was changed since this page read it. Nothing was saved.</span>
          {typed === undefined ? null : (
            <Button slim onClick={() => compare(true)}>
              Compare
            </Button>
          )}
          <Button slim onClick={discard}>
            Take theirs
          </Button>
          {typed === undefined ? null : (
            <Button
              slim
              onClick={() =>
                void client
                  .call("workflow:get", { id })
                  .then(({ version }) => update.mutate({ id, version, text: typed.text }))
              }
            >
              Keep mine
            </Button>
          )}
        </div>
      ) : update.isError ? (
        <div className="editor-note">
          <Failed failure={update.error} />
        </div>
      ) : null}
      {draft === undefined || typed !== undefined ? null : (
        <div className="note editor-note draft-note" role="status">
          <span className="grow">
            Changes of {moment(draft.at, Date.now())} were not saved.
            {draft.version === file.version ? "" : " The file has changed since."}
          </span>
          <Button
            slim
            onClick={() => {
              setTyped({ text: draft.text, version: draft.version });
              setDraft(undefined);
            }}
          >
            Restore them
          </Button>
          <Button
            slim
            onClick={() => {
              setDraft(undefined);
              void dropDraft(id);
            }}
          >
            Discard them
          </Button>
        </div>
      )}
      <div className="editor-parts">
        <section className="editor-form" aria-label="Stages">
          {stage === undefined ? (
            <p className="muted">The file does not list its stages in a way that the form understands: use the text.</p>
          ) : (
            <>
              <div className="stage-tabs" role="group" aria-label="Stage">
                {stages.map((name) => (
                  <Button
                    key={name}
                    slim
                    aria-pressed={name === stage}
                    blocked={
                      isFormDirty && name !== stage ? "Save or discard the changes of this stage first" : undefined
                    }
                    onClick={() =>
                      void navigate({ to: "/workflows/$id", params: { id }, search: { stage: name }, replace: true })
                    }
                  >
                    {name}
                  </Button>
                ))}
              </div>
              <StageForm
                key={`${stage} ${file.version}`}
                stage={stage}
                file={file}
                problems={problems}
                blocked={cannot ?? (isTextDirty ? "Save or discard the text first" : undefined)}
                onSave={(edits) => update.mutate({ id, version: file.version, edits })}
                onDirty={setFormDirty}
                onFind={(path) => {
                  const range = file.ranges[path];
                  if (range !== undefined) find(range.line, range.column);
                }}
              />
            </>
          )}
        </section>
        <section className="editor-text" aria-label="Text">
          <YamlText
            text={text}
            place={place}
            frozen={isFormDirty ? "Save or discard the changes of the stage first" : undefined}
            onChange={(changed) => setTyped({ text: changed, version: typed?.version ?? file.version })}
            onSave={saveText}
          />
          <div className="stage-actions">
            <Button
              kind="primary"
              blocked={cannot ?? (isTextDirty ? undefined : "The text was not changed")}
              onClick={saveText}
            >
              Save text
            </Button>
            {isTextDirty ? <Button onClick={discard}>Discard</Button> : null}
            <span className="grow" />
            <span className="muted small ellipsis" title={file.origin}>
              {shortened(file.origin)}
            </span>
          </div>
          <Problems
            problems={problems}
            isKnown={checked.data !== undefined}
            onFind={find}
            onFix={
              isFormDirty
                ? undefined
                : (fix) => setTyped({ text: applyFix(text, fix), version: typed?.version ?? file.version })
            }
          />
        </section>
      </div>
      {isComparing && typed !== undefined ? (
        <Dialog title="The file and your text" onClose={() => compare(false)}>
          <div className="body">
            <pre className="theirs">
              {diffLines(file.text, typed.text).map((line, index) => (
                <div key={index} className={`is-${line.kind}`}>
                  {{ same: "  ", added: "+ ", removed: "- " }[line.kind] + printable(line.text)}
                </div>
              ))}
            </pre>
          </div>
          <footer>
            <span className="muted small">+ yours, - the file</span>
            <span className="grow" />
            <Button onClick={() => compare(false)}>Close</Button>
          </footer>
        </Dialog>
      ) : null}
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

interface ProblemsProps {
  problems: Problem[];
  isKnown: boolean;
  onFind: (line: number, column: number) => void;
  /** Undefined while the text cannot be changed. */
  onFix: ((fix: Fix) => void) | undefined;
}

/** What is wrong in the text; each leads to its place there. */
function Problems({ problems, isKnown, onFind, onFix }: ProblemsProps) {
  if (!isKnown) return null;
  if (problems.length === 0) {
    return (
      <p className="status tone-completed problems-none">
        <Icon name="completed" />
        No problems
      </p>
    );
  }
  return (
    <section className="problems" aria-label="Problems">
      <h2>{counted(problems.length, "problem")}</h2>
      <ul>
        {problems.map((problem) => (
          <li key={`${problem.line} ${problem.column} ${problem.code} ${problem.message}`}>
            <button type="button" onClick={() => onFind(problem.line, problem.column)}>
              <span className={`status tone-${problem.severity === "error" ? "failed" : "waiting"}`}>
                <Icon name="warning" />
                {problem.severity === "error" ? "Error" : "Warning"}
              </span>
              <span className="muted number">line {problem.line}</span>
              <span>{problem.message}</span>
            </button>
            {onFix === undefined || problem.fixes.length === 0 ? null : (
              <span className="fixes">
                {problem.fixes.map((fix) => (
                  <Button key={fix.title} slim onClick={() => onFix(fix)}>
                    {fix.title}
                  </Button>
                ))}
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The folder and the name of a file: the whole path is long, and hardly ever differs before them. */
function shortened(path: string): string {
  return path.split("/").slice(-2).join("/");
}

function nameOf(model: unknown): string | undefined {
  const workflow =
    typeof model === "object" && model !== null ? (model as Record<string, unknown>)["workflow"] : undefined;
  const name =
    typeof workflow === "object" && workflow !== null ? (workflow as Record<string, unknown>)["name"] : undefined;
  return typeof name === "string" ? name : undefined;
}
