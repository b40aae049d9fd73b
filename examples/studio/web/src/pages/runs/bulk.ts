import type { Deletion, ListRuns, RunRecord } from "workflow-client";

import { client } from "../../service/client";
import { isOver } from "../../words";

/** How many runs are deleted with one request: so that the page can say how far it is. */
const AT_ONCE = 100;
/** How many runs are listed with one request. */
const PAGE = 1_000;

/** Runs as they were when they were chosen: what is deleted does not change with the list. */
export interface Frozen {
  /** Those that are deleted, in the order of the list. */
  runIds: readonly string[];
  /** Those that have not ended, and stay. */
  active: readonly RunRecord[];
}

export function freeze(runs: Iterable<RunRecord>): Frozen {
  const all = [...runs];
  return {
    runIds: all.filter((run) => isOver(run.status)).map((run) => run.runId),
    active: all.filter((run) => !isOver(run.status)),
  };
}

/** All runs that a request selects, on all pages. */
export async function allMatching(list: ListRuns): Promise<RunRecord[]> {
  const runs: RunRecord[] = [];
  let after: string | undefined;
  do {
    const page = await client.call("workflow:runs:list", {
      ...list,
      totals: false,
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    });
    runs.push(...page.runs);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return runs;
}

/** Deletes runs, some at a time. `on` gets the outcome of each; one that fails does not stop the others. */
export async function deleteAll(runIds: readonly string[], on: (results: Deletion[]) => void): Promise<void> {
  for (let from = 0; from < runIds.length; from += AT_ONCE) {
    const { results } = await client.call("workflow:runs:deleteMany", { runIds: runIds.slice(from, from + AT_ONCE) });
    on(results);
  }
}
