import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { ImportState } from "workflow-client";

import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Status } from "../../parts/Icon";
import { Failed, Skeleton } from "../../parts/states";
import { client, queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { toast } from "../../shell/notices";
import type { Shown } from "../../words";

const STATES: Record<ImportState, Shown> = {
  create: { tone: "completed", word: "Added" },
  same: { tone: "skipped", word: "Here already" },
  conflict: { tone: "failed", word: "Another one is here" },
};

/** Adds a workflow of a file that was exported: shows first what that adds, and never replaces anything. */
export function ImportDialog({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const offline = useOffline();
  const [text, setText] = useState<string>();
  const [newId, setNewId] = useState("");
  const request = { text: text ?? "", ...(newId.trim() === "" ? {} : { newId: newId.trim() }) };
  const preview = useQuery({
    queryKey: ["import", request],
    queryFn: ({ signal }) => client.call("workflow:import", { ...request, preview: true }, { signal }),
    enabled: text !== undefined,
    gcTime: 0,
  });
  const add = useMutation({
    mutationFn: () => client.call("workflow:import", request),
    onSuccess: ({ id }) => {
      void queries.invalidateQueries({ queryKey: ["workflows"] });
      toast(`Imported ${id}`);
      onClose();
      void navigate({ to: "/workflows/$id", params: { id } });
    },
  });
  const found = preview.data;
  return (
    <Dialog title="Import a workflow" onClose={onClose}>
      <div className="body workflow-menu">
        <label className="labelled">
          File of an export
          <input
            type="file"
            className="field"
            accept=".yml,.yaml"
            onChange={(event) => {
              const file = event.target.files?.[0];
              if (file) void file.text().then(setText);
            }}
          />
        </label>
        {text === undefined ? null : preview.isPending ? (
          <Skeleton rows={3} />
        ) : preview.isError ? (
          <Failed failure={preview.error} />
        ) : (
          <>
            <label className="labelled">
              Id here
              <input
                className="field"
                value={newId}
                placeholder={found?.id}
                onChange={(event) => setNewId(event.target.value)}
              />
            </label>
            <ul aria-label="What is imported">
              {found?.items.map((item) => (
                <li key={item.item} className="two">
                  <Status {...STATES[item.state]} />
                  <code className="ellipsis">{item.item}</code>
                </li>
              ))}
            </ul>
            {found?.conflicts ? (
              <p className="field-error">
                Nothing is replaced: import it with another id, or remove what is in the way first.
              </p>
            ) : null}
          </>
        )}
        {add.isError ? <Failed failure={add.error} /> : null}
      </div>
      <footer>
        <span className="grow" />
        <Button onClick={onClose}>Close</Button>
        <Button
          kind="primary"
          blocked={
            offline ??
            (found === undefined ? "Choose a file first" : undefined) ??
            (found?.conflicts ? "Something is in the way" : undefined) ??
            (add.isPending ? "It is being imported" : undefined)
          }
          onClick={() => add.mutate()}
        >
          Import
        </Button>
      </footer>
    </Dialog>
  );
}
