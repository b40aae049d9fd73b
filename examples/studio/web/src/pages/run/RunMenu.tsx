import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { RunView } from "workflow-client";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Failed } from "../../parts/states";
import { client, mayUse, queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { toast } from "../../shell/notices";
import { isOver } from "../../words";

interface Props {
  run: RunView;
  onShow: (show: string) => void;
  onClose: () => void;
}

/** Why the page may not change runs, if so. */
export function useReadOnly(): string | undefined {
  return useOffline() ?? (mayUse("run") ? undefined : "The token of this page only reads");
}

/** Why a run cannot be deleted, if so. */
export function useUndeletable(run: RunView): string | undefined {
  const offline = useOffline() ?? (mayUse("admin") ? undefined : "The token of this page does not allow deleting");
  return offline ?? (isOver(run.status) ? undefined : "It has not ended");
}

/** What else can be done with a run. */
export function RunMenu({ run, onShow, onClose }: Props) {
  const offline = useOffline();
  const readOnly = useReadOnly();
  const undeletable = useUndeletable(run);
  return (
    <Dialog title={run.runId} onClose={onClose}>
      <div className="body run-menu">
        <Button icon="report" blocked={offline} onClick={() => onShow("report")}>
          Report
        </Button>
        <Button icon="retrying" blocked={readOnly} onClick={() => onShow("rerun")}>
          Rerun
        </Button>
        <Button icon="fork" blocked={readOnly} onClick={() => onShow("fork")}>
          Fork
        </Button>
        <Button
          icon="workflows"
          blocked={
            readOnly ?? (isOver(run.status) ? "The run has ended: fork it with the current definition" : undefined)
          }
          onClick={() => onShow("migrate")}
        >
          Migrate to the current definition
        </Button>
        <Button kind="danger" icon="failed" blocked={undeletable} onClick={() => onShow("delete")}>
          Delete
        </Button>
        {isOver(run.status) ? null : <p className="muted small">It can be deleted when it has ended.</p>}
      </div>
    </Dialog>
  );
}

/** Asks whether a run is to be deleted. */
export function DeleteRunDialog({ run: { runId }, run, onClose }: Omit<Props, "onShow">) {
  const navigate = useNavigate();
  const undeletable = useUndeletable(run);
  const remove = useMutation({
    mutationFn: () => client.call("workflow:runs:delete", { runId }),
    onSuccess: () => {
      toast(`Deleted ${runId}`);
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void navigate({ to: "/runs" });
    },
  });
  return (
    <Dialog title={`Delete ${runId}?`} onClose={onClose}>
      <div className="body">
        <p>Its log, its outputs and its events are deleted as well, and cannot be brought back.</p>
        {remove.isError ? <Failed failure={remove.error} /> : null}
      </div>
      <footer>
        <span className="grow" />
        <Button onClick={onClose}>Keep it</Button>
        <Button
          kind="danger"
          blocked={undeletable ?? (remove.isPending ? "It is being deleted" : undefined)}
          onClick={() => remove.mutate()}
        >
          Delete {runId}
        </Button>
      </footer>
    </Dialog>
  );
}
