import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import type { ForkPointName, RunPlan, RunView } from "workflow-client";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Failed } from "../../parts/states";
import { client } from "../../service/client";
import { useOffline } from "../../service/contact";
import { toast } from "../../shell/notices";
import { changedValues, shownText } from "./forkValues";

interface Props {
  run: RunView;
  plan: RunPlan | undefined;
  onClose: () => void;
}

/** Continues a run as a new one, with variables or outputs of stages that were changed. */
export function ForkDialog({ run, plan, onClose }: Props) {
  const navigate = useNavigate();
  const offline = useOffline();
  const begun = plan?.stages.filter((stage) => stage.id in run.context.stages) ?? [];
  const failed = begun.find((stage) => run.context.stages[stage.id]?.status === "failed");
  const [at, setAt] = useState(failed?.id ?? begun.at(-1)?.id ?? "");
  const [isCurrent, setCurrent] = useState(false);
  const [vars, setVars] = useState<Record<string, string>>({});
  const [outputs, setOutputs] = useState<Record<string, string>>({});
  // The outputs of stages from there on are made anew.
  const kept = begun.slice(
    0,
    begun.findIndex((stage) => stage.id === at),
  );
  const stages = Object.fromEntries(
    kept.flatMap((stage) => {
      const output = run.context.stages[stage.id]?.output;
      return output === undefined ? [] : [[stage.id, output]];
    }),
  );
  const newVars = changedValues(run.context.vars, vars);
  const newOutputs = changedValues(stages, outputs);
  const wrong = [...newVars.wrong, ...newOutputs.wrong];
  const fork = useMutation({
    mutationFn: () => {
      const point: ForkPointName = at === "" ? "start" : { stage: at };
      return client.call("workflow:runs:fork", {
        runId: run.runId,
        at: point,
        vars: newVars.values,
        outputs: newOutputs.values,
        current: isCurrent,
      });
    },
    onSuccess: ({ runId }) => {
      toast(`Started ${runId}`);
      void navigate({ to: "/runs/$run/timeline", params: { run: runId } });
      onClose();
    },
  });
  return (
    <Dialog title={`Fork ${run.runId}`} onClose={onClose}>
      <div className="body">
        <p className="muted small">
          It becomes a new run that continues from a stage of this one; this one does not change. Its earlier stages are
          not run again.
        </p>
        <label className="labelled">
          Continue from
          <select className="field" value={at} onChange={(event) => setAt(event.target.value)}>
            <option value="">the start</option>
            {begun.map((stage) => (
              <option key={stage.id}>{stage.id}</option>
            ))}
          </select>
        </label>
        <Values title="Variables" stored={run.context.vars} changed={vars} onChange={setVars} wrong={newVars.wrong} />
        <Values title="Outputs" stored={stages} changed={outputs} onChange={setOutputs} wrong={newOutputs.wrong} />
        <label className="choice">
          <input type="checkbox" checked={isCurrent} onChange={(event) => setCurrent(event.target.checked)} />
          <span>
            With the current definition <span className="muted">instead of the one that this run followed</span>
          </span>
        </label>
        {fork.isError ? <Failed failure={fork.error} /> : null}
      </div>
      <footer>
        <span className="grow" />
        <Button onClick={onClose}>Close</Button>
        <Button
          kind="primary"
          icon="fork"
          blocked={
            offline ??
            (wrong.length > 0 ? `${wrong.join(", ")}: this is no JSON value` : undefined) ??
            (fork.isPending ? "The run is being started" : undefined)
          }
          onClick={() => fork.mutate()}
        >
          Fork
        </Button>
      </footer>
    </Dialog>
  );
}

interface ValuesProps {
  title: string;
  stored: Record<string, unknown>;
  changed: Record<string, string>;
  onChange: (changed: Record<string, string>) => void;
  wrong: string[];
}

function Values({ title, stored, changed, onChange, wrong }: ValuesProps) {
  const id = useId();
  const names = Object.keys(stored);
  if (names.length === 0) return null;
  return (
    <fieldset className="fork-values">
      <legend>{title}</legend>
      {names.map((name) => {
        const value = changed[name] ?? shownText(stored[name]);
        return (
          <div key={name} className="form-field">
            <label htmlFor={`${id}-${name}`}>{name}</label>
            <textarea
              id={`${id}-${name}`}
              className="field"
              rows={Math.min(6, value.split("\n").length)}
              spellCheck={false}
              value={value}
              aria-invalid={wrong.includes(name) || undefined}
              onChange={(event) => onChange({ ...changed, [name]: event.target.value })}
            />
            {wrong.includes(name) ? <p className="field-error">Write a JSON value, as it was.</p> : null}
          </div>
        );
      })}
    </fieldset>
  );
}
