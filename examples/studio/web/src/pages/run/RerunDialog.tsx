import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { RerunPoint, RunPlan, RunView } from "workflow-client";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Failed } from "../../parts/states";
import { client } from "../../service/client";
import { useOffline } from "../../service/contact";
import { toast } from "../../shell/notices";

interface Props {
  run: RunView;
  plan: RunPlan | undefined;
  onClose: () => void;
}

/** Repeats a run as a new one: from the start, from where it failed, or from a stage. */
export function RerunDialog({ run, plan, onClose }: Props) {
  const navigate = useNavigate();
  const offline = useOffline();
  const [from, setFrom] = useState(run.status === "failed" ? "failed" : "start");
  const [isCurrent, setCurrent] = useState(false);
  const rerun = useMutation({
    mutationFn: () => {
      const point: RerunPoint = from === "failed" || from === "start" ? from : { stage: from.slice("stage:".length) };
      return client.call("workflow:runs:rerun", { runId: run.runId, from: point, current: isCurrent });
    },
    onSuccess: ({ runId }) => {
      toast(`Started ${runId}`);
      void navigate({ to: "/runs/$run/timeline", params: { run: runId } });
      onClose();
    },
  });
  const begun = plan?.stages.filter((stage) => stage.id in run.context.stages) ?? [];
  const points = [
    ...(run.status === "failed"
      ? [{ id: "failed", name: "From what failed", about: "keeps what succeeded before" }]
      : []),
    ...begun.map((stage) => ({
      id: `stage:${stage.id}`,
      name: `From ${stage.id}`,
      about: "keeps the outputs of the stages before",
    })),
    { id: "start", name: "From the start", about: "with the same variables" },
  ];
  return (
    <Dialog title={`Rerun ${run.runId}`} onClose={onClose}>
      <div className="body">
        <fieldset className="choices">
          <legend>Where to begin</legend>
          {points.map(({ id, name, about }) => (
            <label key={id} className="choice">
              <input type="radio" name="from" value={id} checked={from === id} onChange={() => setFrom(id)} />
              <span>
                {name} <span className="muted">{about}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <label className="choice">
          <input type="checkbox" checked={isCurrent} onChange={(event) => setCurrent(event.target.checked)} />
          <span>
            With the current definition <span className="muted">instead of the one that this run followed</span>
          </span>
        </label>
        <p className="muted small">
          It becomes a new run; this one does not change.{" "}
          <Link to="/workflows/$id/run" params={{ id: run.workflowId }} search={{ from: run.runId }}>
            Run with other variables
          </Link>
        </p>
        {rerun.isError ? <Failed failure={rerun.error} /> : null}
      </div>
      <footer>
        <span className="grow" />
        <Button onClick={onClose}>Close</Button>
        <Button
          kind="primary"
          icon="retrying"
          blocked={offline ?? (rerun.isPending ? "The run is being started" : undefined)}
          onClick={() => rerun.mutate()}
        >
          Rerun
        </Button>
      </footer>
    </Dialog>
  );
}
