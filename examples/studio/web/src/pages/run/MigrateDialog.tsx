import { useMutation, useQuery } from "@tanstack/react-query";
import type { RunView } from "workflow-client";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Icon } from "../../parts/Icon";
import { Failed, Skeleton } from "../../parts/states";
import { client, queries } from "../../service/client";
import { toast } from "../../shell/notices";
import { printable } from "./DataPanel";
import { useReadOnly } from "./RunMenu";

/** Shows what the current definition changes for a run, and moves the run to it. */
export function MigrateDialog({ run: { runId }, onClose }: { run: RunView; onClose: () => void }) {
  const readOnly = useReadOnly();
  const preview = useQuery({
    queryKey: ["migrate", runId],
    queryFn: ({ signal }) => client.call("workflow:runs:migrate", { runId }, { signal }),
    // The definition may have changed since the dialog was last open.
    staleTime: 0,
    gcTime: 0,
  });
  const migrate = useMutation({
    mutationFn: () => client.call("workflow:runs:migrate", { runId, apply: true }),
    onSuccess: () => {
      toast(`Moved ${runId} to the current definition`);
      void queries.invalidateQueries({ queryKey: ["run", runId] });
      void queries.invalidateQueries({ queryKey: ["plan", runId] });
      onClose();
    },
  });
  const { diverges = [], obstacles = [], from, to } = preview.data ?? {};
  const isSame = preview.data !== undefined && from === to;
  const reason = isSame
    ? "The run follows the current definition already"
    : obstacles.length > 0
      ? "The run cannot be moved now"
      : undefined;
  return (
    <Dialog title={`Migrate ${runId}`} onClose={onClose}>
      <div className="body">
        <p className="muted small">
          The run follows the definition that it was started with. Here it is moved to the one that the workflow has
          now.
        </p>
        {preview.isError ? <Failed failure={preview.error} retry={() => void preview.refetch()} /> : null}
        {preview.isPending ? <Skeleton rows={3} /> : null}
        {isSame ? <p>The run follows the current definition already.</p> : null}
        {obstacles.length > 0 ? (
          <section aria-label="Obstacles" className="note tone-failed">
            <div>
              <h3 className="status tone-failed">
                <Icon name="warning" />
                It cannot be moved now
              </h3>
              <Lines lines={obstacles} />
            </div>
          </section>
        ) : null}
        {diverges.length > 0 ? (
          <section aria-label="Differences">
            <h3>What becomes different</h3>
            <Lines lines={diverges} />
          </section>
        ) : null}
        {migrate.isError ? <Failed failure={migrate.error} /> : null}
      </div>
      <footer>
        <span className="grow" />
        <Button onClick={onClose}>Close</Button>
        <Button
          kind="primary"
          blocked={
            readOnly ??
            (preview.data === undefined ? "The differences are not known yet" : reason) ??
            (migrate.isPending ? "The run is being moved" : undefined)
          }
          onClick={() => migrate.mutate()}
        >
          Migrate
        </Button>
      </footer>
    </Dialog>
  );
}

function Lines({ lines }: { lines: string[] }) {
  return (
    <ul className="plain-lines">
      {lines.map((line) => (
        <li key={line}>{printable(line)}</li>
      ))}
    </ul>
  );
}
