import { useMutation, useQuery } from "@tanstack/react-query";

import { client, codeOf, messageOf, queries } from "../../service/client";
import { notice, toast } from "../../shell/notices";
import { isOver } from "../../words";

/** The parameters of the address of a run. */
export interface RunSearch {
  at?: string | undefined;
  attempt?: string | undefined;
  dock?: string | undefined;
  line?: string | undefined;
  event?: string | undefined;
  q?: string | undefined;
  kind?: string | undefined;
  level?: string | undefined;
  tab?: string | undefined;
  /** The dialog that is open: `report`. */
  show?: string | undefined;
}

export function useRun(runId: string) {
  return useQuery({
    queryKey: ["run", runId],
    queryFn: ({ signal }) => client.call("workflow:runs:get", { runId }, { signal }),
    // That the process that drives a run is gone, no event says.
    refetchInterval: ({ state }) => (state.data !== undefined && !isOver(state.data.run.status) ? 5_000 : false),
  });
}

/** The plan that the run follows: it changes only when the run is moved to another definition. */
export function usePlan(runId: string) {
  return useQuery({
    queryKey: ["plan", runId],
    queryFn: ({ signal }) => client.call("workflow:runs:plan", { runId }, { signal }),
  });
}

export function useEstimate(workflowId: string | undefined) {
  return useQuery({
    queryKey: ["estimate", workflowId],
    queryFn: ({ signal }) => client.call("workflow:estimate", { id: workflowId ?? "" }, { signal }),
    enabled: workflowId !== undefined,
    staleTime: 60_000,
  });
}

type Control = "pause" | "resume" | "cancel" | "kill";

/** Requests a change of a run: what has changed is shown only when the run says so. */
export function useControl(runId: string) {
  return useMutation({
    mutationFn: (control: Control) => client.call(`workflow:runs:${control}`, { runId }),
    onSettled: () => void queries.invalidateQueries({ queryKey: ["run", runId] }),
    onError: (failure) => notice(`${codeOf(failure) ?? "failed"}: ${messageOf(failure)}`),
    onSuccess: (result, control) => {
      if (result.recorded) toast(`Requested: ${control}`);
    },
  });
}
