import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { Button } from "../../parts/Button";
import { Failed } from "../../parts/states";
import { client, mayUse, queries } from "../../service/client";
import { useOffline } from "../../service/contact";
import { toast } from "../../shell/notices";

/** Sends the signal that a run waits for, with data that is JSON or a text. */
export function SignalForm({ runId, name }: { runId: string; name: string }) {
  const [data, setData] = useState("");
  // The same signal if it is sent again after an error.
  const [id, setId] = useState(newId);
  const offline = useOffline() ?? (mayUse("run") ? undefined : "The token of this page only reads");
  const send = useMutation({
    mutationFn: () => client.call("workflow:runs:signal", { runId, name, data: valueOf(data), id }),
    onSuccess: () => {
      toast(`Signal ${name} sent`);
      setId(newId());
      void queries.invalidateQueries({ queryKey: ["run", runId] });
    },
  });
  return (
    <form
      className="attention-actions"
      onSubmit={(event) => {
        event.preventDefault();
        if (offline === undefined && !send.isPending) send.mutate();
      }}
    >
      <input
        className="field"
        aria-label={`Data of the signal ${name}`}
        placeholder="Data (JSON or text)"
        value={data}
        onChange={(event) => setData(event.target.value)}
      />
      <Button slim type="submit" blocked={offline ?? (send.isPending ? "The signal is being sent" : undefined)}>
        Send {name}
      </Button>
      {send.error ? <Failed failure={send.error} /> : null}
    </form>
  );
}

const newId = () => `page-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;

/** What was typed: JSON where it is, otherwise a text; nothing is null. */
export function valueOf(text: string): unknown {
  if (text.trim() === "") return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
