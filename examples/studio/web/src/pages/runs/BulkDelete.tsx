import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { Deletion } from "workflow-client";

import { count, counted } from "../../format";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Icon } from "../../parts/Icon";
import { Failed } from "../../parts/states";
import { queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { runStatus } from "../../words";
import { deleteAll, type Frozen } from "./bulk";

/** How many runs a list in the dialog names. */
const NAMED = 20;

/** Deletes runs that were chosen, and says of each what became of it. */
export function BulkDelete({ frozen, onClose }: { frozen: Frozen; onClose: (gone: string[]) => void }) {
  const offline = useOffline();
  const [results, setResults] = useState<Deletion[]>([]);
  const { runIds, active } = frozen;
  const remove = useMutation({
    mutationFn: () => deleteAll(runIds, (more) => setResults((known) => [...known, ...more])),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["runs"] });
      void queries.invalidateQueries({ queryKey: ["workflows"] });
    },
  });
  const gone = results.filter((result) => !result.error);
  const kept = results.filter((result) => result.error);
  const isBegun = remove.isPending || results.length > 0;
  const close = () => onClose(gone.map((result) => result.runId));
  return (
    <Dialog title={`Delete ${counted(runIds.length, "run")}?`} onClose={close}>
      <div className="body bulk">
        {isBegun ? (
          <p role="status">
            {remove.isPending
              ? `${count(results.length)} of ${count(runIds.length)} done`
              : `${counted(gone.length, "run")} deleted${kept.length > 0 ? `, ${count(kept.length)} not` : ""}.`}
          </p>
        ) : (
          <p>
            Their logs, outputs and events are deleted as well, and cannot be brought back. These are the runs that were
            chosen: runs that start from now on are not among them.
          </p>
        )}
        {isBegun ? null : <Names names={runIds} label="Runs to delete" />}
        {active.length > 0 ? (
          <section aria-label="Runs that stay">
            <h3>
              {active.length === 1
                ? "1 run has not ended, and stays"
                : `${count(active.length)} runs have not ended, and stay`}
            </h3>
            <Names
              label="Active runs"
              names={active.map((run) => `${run.runId}: ${runStatus(run).word.toLowerCase()}`)}
            />
          </section>
        ) : null}
        {results.length > 0 ? (
          <ul className="bulk-results" aria-label="Results">
            {[...kept, ...gone].slice(0, kept.length + NAMED).map((result) => (
              <li key={result.runId}>
                <span className={`status tone-${result.error ? "failed" : "completed"}`}>
                  <Icon name={result.error ? "failed" : "completed"} />
                  {result.error ? "Not deleted" : "Deleted"}
                </span>
                <code className="ellipsis">{result.runId}</code>
                {result.error ? <span className="muted">{result.error.message}</span> : null}
              </li>
            ))}
            {gone.length > NAMED ? <li className="muted">and {count(gone.length - NAMED)} more deleted</li> : null}
          </ul>
        ) : null}
        {remove.isError ? <Failed failure={remove.error} /> : null}
      </div>
      <footer>
        <span className="grow" />
        <Button onClick={close}>{isBegun ? "Close" : "Keep them"}</Button>
        {isBegun && !remove.isError ? null : (
          <Button
            kind="danger"
            blocked={offline ?? (runIds.length === 0 ? "None of them has ended" : undefined)}
            onClick={() => {
              setResults([]);
              remove.mutate();
            }}
          >
            Delete {counted(runIds.length, "run")}
          </Button>
        )}
      </footer>
    </Dialog>
  );
}

function Names({ names, label }: { names: readonly string[]; label: string }) {
  return (
    <ul className="bulk-names" aria-label={label}>
      {names.slice(0, NAMED).map((name) => (
        <li key={name} className="mono ellipsis">
          {name}
        </li>
      ))}
      {names.length > NAMED ? <li className="muted">and {count(names.length - NAMED)} more</li> : null}
    </ul>
  );
}
