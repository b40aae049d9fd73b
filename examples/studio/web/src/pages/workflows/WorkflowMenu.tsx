import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useId, useState } from "react";
import type { WorkflowSummary } from "workflow-client";

import { Button } from "../../parts/Button";
import { download } from "../../parts/copy";
import { Dialog } from "../../parts/Dialog";
import { Failed } from "../../parts/states";
import { client, mayUse, queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { toast } from "../../shell/notices";

/** What else can be done with a workflow: edit, duplicate, export, delete. */
export function WorkflowMenu({ workflow, onClose }: { workflow: WorkflowSummary; onClose: () => void }) {
  const { id } = workflow;
  const field = useId();
  const navigate = useNavigate();
  const [newId, setNewId] = useState(`${id}-copy`);
  const [isSure, setSure] = useState(false);
  const offline = useOffline() ?? (mayUse("edit") ? undefined : "The token of this page does not allow changes");
  const changed = () => void queries.invalidateQueries({ queryKey: ["workflows"] });
  const duplicate = useMutation({
    mutationFn: () => client.call("workflow:duplicate", { id, newId }),
    onSuccess: () => {
      changed();
      toast(`Made ${newId}`);
      onClose();
      void navigate({ to: "/workflows/$id", params: { id: newId } });
    },
  });
  const save = useMutation({
    mutationFn: () => client.call("workflow:export", { id }),
    onSuccess: ({ text, notes }) => {
      download(`${id}.export.yml`, text, "application/yaml");
      toast(notes.length === 0 ? `Exported ${id}` : `Exported ${id}. Not in it: ${notes.join("; ")}`);
    },
  });
  const remove = useMutation({
    mutationFn: () => client.call("workflow:delete", { id }),
    onSuccess: () => {
      changed();
      toast(`Deleted ${id}`);
      onClose();
    },
  });
  const active = workflow.activeRuns;
  const failure = duplicate.error ?? save.error ?? remove.error;
  return (
    <Dialog title={workflow.name ?? id} onClose={onClose}>
      <div className="body workflow-menu">
        <Link to="/workflows/$id" params={{ id }} className="button">
          Edit
        </Link>
        <form
          className="two"
          onSubmit={(event) => {
            event.preventDefault();
            if (offline === undefined) duplicate.mutate();
          }}
        >
          <label htmlFor={field}>Id of the copy</label>
          <input id={field} className="field" value={newId} onChange={(event) => setNewId(event.target.value)} />
          <Button type="submit" blocked={offline ?? (newId.trim() === "" ? "The copy needs an id" : undefined)}>
            Duplicate
          </Button>
        </form>
        <Button
          icon="download"
          blocked={save.isPending ? "It is being exported" : undefined}
          onClick={() => save.mutate()}
        >
          Export
        </Button>
        {active.length > 0 ? (
          <p>
            It cannot be deleted while runs of it have not ended:{" "}
            {active.map((run) => (
              <span key={run}>
                <Link to="/runs/$run/timeline" params={{ run }} className="mono">
                  {run}
                </Link>{" "}
              </span>
            ))}
          </p>
        ) : null}
        {isSure ? (
          <p className="two">
            <span>Its file is deleted; its runs stay.</span>
            <Button kind="danger" blocked={offline} onClick={() => remove.mutate()}>
              Delete {id}
            </Button>
          </p>
        ) : (
          <Button
            kind="danger"
            blocked={offline ?? (active.length > 0 ? "Runs of it have not ended" : undefined)}
            onClick={() => setSure(true)}
          >
            Delete
          </Button>
        )}
        {failure ? <Failed failure={failure} /> : null}
      </div>
    </Dialog>
  );
}
