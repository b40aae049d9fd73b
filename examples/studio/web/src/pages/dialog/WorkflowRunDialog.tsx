import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useId, useState } from "react";
import type { DryRun, InputList, OnFailure, RunWorkflow } from "workflow-client";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Failed, Skeleton } from "../../parts/states";
import { client, codeOf } from "../../service/client";
import { useOffline } from "../../service/contact";
import { notice, toast } from "../../shell/notices";
import { useEstimate } from "../run/query";
import { Workflows } from "../workflows/Workflows";
import { useWorkflows } from "../workflows/query";
import { fieldsOf, readFields, type InputField } from "./inputs";
import { Preflight } from "./Preflight";

/** The dialog that starts a run, over the list of workflows: it has an address of its own. */
export function WorkflowRunDialog() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { from }: { from?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const inputs = useQuery({
    queryKey: ["inputs", id],
    queryFn: ({ signal }) => client.call("workflow:inputs", { id }, { signal }),
    staleTime: 0,
  });
  const before = useQuery({
    queryKey: ["run", from],
    queryFn: ({ signal }) => client.call("workflow:runs:get", { runId: from ?? "" }, { signal }),
    enabled: from !== undefined,
  });
  const name = useWorkflows().data?.workflows.find((workflow) => workflow.id === id)?.name ?? id;
  const close = () =>
    from === undefined
      ? void navigate({ to: "/workflows" })
      : void navigate({ to: "/runs/$run/timeline", params: { run: from } });
  const isMissing = codeOf(inputs.error) === "not_found";
  useEffect(() => {
    if (!isMissing) return;
    notice(`There is no workflow ${id}. These are the workflows.`);
    void navigate({ to: "/workflows", replace: true });
  }, [isMissing, id, navigate]);
  const isReady = inputs.data !== undefined && (from === undefined || !before.isPending);
  return (
    <>
      <Workflows />
      {isMissing ? null : (
        <Dialog title={`Run ${name}`} onClose={close}>
          {inputs.isError ? (
            <div className="body">
              <Failed failure={inputs.error} retry={() => void inputs.refetch()} />
            </div>
          ) : isReady ? (
            <Form
              key={`${id} ${from ?? ""}`}
              id={id}
              list={inputs.data}
              from={before.data?.run.context.vars}
              close={close}
            />
          ) : (
            <div className="body">
              <Skeleton rows={4} height={56} />
            </div>
          )}
        </Dialog>
      )}
    </>
  );
}

interface FormProps {
  id: string;
  list: InputList;
  from: Record<string, unknown> | undefined;
  close: () => void;
}

interface Choices {
  onFailure: OnFailure | "";
  isInteractive: boolean;
  files: "" | "own" | "shared";
  runId: string;
  key: string;
  maxIters: string;
}

function Form({ id, list, from, close }: FormProps) {
  const navigate = useNavigate();
  const offline = useOffline();
  const [fields, setFields] = useState(() => fieldsOf(list.inputs, from));
  const [choices, setChoices] = useState<Choices>({
    onFailure: "",
    isInteractive: false,
    files: "",
    runId: "",
    key: "",
    maxIters: "",
  });
  const [isTried, setTried] = useState(false);
  const { vars, errors } = readFields(fields);
  const request = requestOf(id, vars, choices);
  const settled = useSettled(JSON.stringify(request), 300);
  const plan = useQuery({
    queryKey: ["dryRun", settled],
    queryFn: ({ signal }) =>
      client.call("workflow:run", { ...(JSON.parse(settled) as RunWorkflow), dryRun: true }, { signal }),
    placeholderData: (known) => known,
  });
  const estimate = useEstimate(id).data;
  const start = useMutation({
    mutationFn: () => client.start(request),
    onSuccess: ({ runId }) => {
      toast(`Started ${runId}`);
      void navigate({ to: "/runs/$run/timeline", params: { run: runId } });
    },
  });
  const run = () => {
    setTried(true);
    const wrong = Object.keys(errors)[0];
    if (wrong !== undefined) return document.getElementById(`var-${wrong}`)?.focus();
    if (!offline && !start.isPending) start.mutate();
  };
  // Wherever the focus is: a workflow without inputs has no field to be in.
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      run();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  const code = codeOf(start.error);
  const dry = plan.data && "ready" in plan.data ? plan.data : undefined;
  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      <div className="body">
        {fields.length === 0 ? <p className="muted">This workflow takes no variables.</p> : null}
        {fields.map((field, index) => (
          <VariableField
            key={field.input.name}
            field={field}
            error={isTried ? errors[field.input.name] : undefined}
            isFirst={index === 0}
            onChange={(text) => setFields(fields.map((each) => (each === field ? { ...each, text } : each)))}
          />
        ))}
        <Options choices={choices} dry={dry} onChange={setChoices} />
        <Preflight plan={dry} failure={plan.error} estimate={estimate} secrets={list.secrets} isTried={isTried} />
        {start.isError ? <Failed failure={start.error} /> : null}
        {(code === "other_inputs" || code === "exists") && choices.runId !== "" ? (
          <p>
            <Link to="/runs/$run/timeline" params={{ run: choices.runId }}>
              Open the run {choices.runId}
            </Link>
          </p>
        ) : null}
      </div>
      <footer>
        <span className="muted small keys">
          <kbd>Ctrl</kbd> <kbd>Enter</kbd>
        </span>
        <span className="grow" />
        <Button onClick={close}>Close</Button>
        <Button
          type="submit"
          kind="primary"
          icon="play"
          blocked={offline ?? (start.isPending ? "The run is being started" : undefined)}
          onClick={(event) => {
            event.preventDefault();
            run();
          }}
        >
          Run
        </Button>
      </footer>
    </form>
  );
}

function requestOf(id: string, vars: Record<string, unknown>, choices: Choices): RunWorkflow {
  const request: RunWorkflow = { id, vars };
  if (choices.onFailure !== "") request.onFailure = choices.onFailure;
  if (choices.isInteractive) request.interactive = true;
  if (choices.files !== "") request.isolated = choices.files === "own";
  if (choices.runId !== "") request.runId = choices.runId;
  if (choices.key !== "") request.idempotencyKey = choices.key;
  if (Number(choices.maxIters) > 0) request.maxIters = Number(choices.maxIters);
  return request;
}

function VariableField(props: {
  field: InputField;
  error: string | undefined;
  isFirst: boolean;
  onChange: (text: string) => void;
}) {
  const { field, error, isFirst, onChange } = props;
  const { input, kind, text } = field;
  const id = `var-${input.name}`;
  const shared = {
    id,
    autoFocus: isFirst,
    "aria-describedby": `${id}-about`,
    "aria-invalid": error !== undefined,
    "aria-required": input.required,
  };
  const about = input.description ?? (input.usedIn.length > 0 ? `Used in ${input.usedIn.slice(0, 3).join(", ")}` : "");
  const type = { text: "", number: "number", switch: "", list: "list, one item a line", json: "JSON", choice: "" }[
    kind
  ];
  return (
    <div className={`form-field${kind === "switch" ? " is-switch" : ""}`}>
      <label htmlFor={id}>
        <code>{input.name}</code>
        <span className="muted small">
          {[input.required ? "required" : "", type].filter(Boolean).map((word) => ` ${word}`)}
        </span>
      </label>
      {kind === "switch" ? (
        <input
          {...shared}
          type="checkbox"
          role="switch"
          checked={text === "true"}
          onChange={(event) => onChange(String(event.target.checked))}
        />
      ) : kind === "choice" ? (
        <select {...shared} className="field" value={text} onChange={(event) => onChange(event.target.value)}>
          {text === "" || !input.required ? <option value="" /> : null}
          {input.enum.map((value) => (
            <option key={JSON.stringify(value)} value={JSON.stringify(value)}>
              {typeof value === "string" ? value : JSON.stringify(value)}
            </option>
          ))}
        </select>
      ) : kind === "number" ? (
        <input
          {...shared}
          className="field"
          inputMode="decimal"
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <textarea
          {...shared}
          className={kind === "json" ? "field mono" : "field"}
          rows={kind === "text" ? Math.min(6, Math.max(1, text.split("\n").length)) : 3}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      <p id={`${id}-about`} className={error === undefined ? "muted small" : "field-error"}>
        {error ?? about}
      </p>
    </div>
  );
}

function Options(props: { choices: Choices; dry: DryRun | undefined; onChange: (choices: Choices) => void }) {
  const { choices, dry, onChange } = props;
  const hasLoop = (dry?.loop ?? null) !== null;
  const id = useId();
  const set = (change: Partial<Choices>) => onChange({ ...choices, ...change });
  return (
    <details className="options">
      <summary>Options</summary>
      <div className="options-grid">
        <label className="form-field">
          <span>When a stage fails</span>
          <select
            className="field"
            value={choices.onFailure}
            onChange={(event) => set({ onFailure: event.target.value as OnFailure | "" })}
          >
            <option value="">As the workflow says</option>
            <option value="stop">Stop the run</option>
            <option value="continue">Continue with the next stage</option>
            <option value="retry">Retry the stage</option>
          </select>
        </label>
        {hasLoop ? (
          <label className="form-field">
            <span>Iterations at most</span>
            <input
              className="field"
              inputMode="numeric"
              value={choices.maxIters}
              placeholder="As the workflow says"
              onChange={(event) => set({ maxIters: event.target.value })}
            />
          </label>
        ) : null}
        <label className="form-field">
          <span>Files</span>
          <select
            className="field"
            value={choices.files}
            aria-describedby={`${id}-files`}
            onChange={(event) => set({ files: event.target.value as Choices["files"] })}
          >
            <option value="">As the workflow says</option>
            <option value="own">In a git worktree of its own</option>
            <option value="shared">In the shared files</option>
          </select>
          <span className="muted small" id={`${id}-files`}>
            {worktreeText(dry)}
          </span>
        </label>
        <label className="form-field">
          <span>Id of the run</span>
          <input
            className="field mono"
            value={choices.runId}
            placeholder="Chosen by the server"
            onChange={(event) => set({ runId: event.target.value.trim() })}
          />
        </label>
        <label className="form-field">
          <span>Idempotency key</span>
          <input
            className="field mono"
            value={choices.key}
            aria-describedby={`${id}-key`}
            onChange={(event) => set({ key: event.target.value })}
          />
          <span className="muted small" id={`${id}-key`}>
            A second run with this key is the first one.
          </span>
        </label>
        <label className="choice">
          <input
            type="checkbox"
            checked={choices.isInteractive}
            onChange={(event) => set({ isInteractive: event.target.checked })}
          />
          Ask before each stage
        </label>
      </div>
    </details>
  );
}

/** Where a run with the chosen options works. */
function worktreeText(dry: DryRun | undefined): string {
  if (dry?.isolated !== true) return "The calls work in the shared files.";
  const { base, branchPrefix } = dry.worktree ?? {};
  return `The run works on the branch ${branchPrefix ?? "workflow/"}ID, which starts from ${base ?? "the last commit"}; it does not see files that are not committed.`;
}

/** A value once it has not changed for a while. */
function useSettled(value: string, wait: number): string {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), wait);
    return () => clearTimeout(timer);
  }, [value, wait]);
  return settled;
}
