import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import type { ListRuns, RunRecord, RunStatus, WaitReason } from "workflow-client";

import { isUtc } from "../../format";
import { client, queries } from "../../service/client";
import { allHeads, headOf, isDeleted, useHeads } from "../../service/heads";

/** The parameters of the address of the list. */
export interface RunsSearch {
  workflow?: string | undefined;
  status?: string | undefined;
  wait?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  q?: string | undefined;
}

const DAY = 86_400_000;

/** The request for what an address selects. */
export function request(search: RunsSearch): ListRuns {
  const list: ListRuns = { totals: true, limit: 100 };
  if (search.workflow) list.workflow = search.workflow;
  if (search.status) list.statuses = search.status.split(",") as RunStatus[];
  if (search.wait) list.waits = search.wait.split(",") as WaitReason[];
  if (search.q) list.text = search.q;
  // Days of the zone that is shown: from the start of one to the end of the other.
  const day = (text: string) => new Date(`${text}T00:00:00${isUtc() ? "Z" : ""}`).getTime();
  if (search.from && !Number.isNaN(day(search.from))) list.from = new Date(day(search.from)).toISOString();
  if (search.to && !Number.isNaN(day(search.to))) list.to = new Date(day(search.to) + DAY).toISOString();
  return list;
}

/** The runs that an address selects; those that were created since wait until they are shown. */
export function useRuns(search: RunsSearch) {
  const list = request(search);
  const key = JSON.stringify(list);
  const query = useInfiniteQuery({
    queryKey: ["runs", key],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam, signal }) =>
      client.call("workflow:runs:list", pageParam === undefined ? list : { ...list, after: pageParam }, { signal }),
    getNextPageParam: (page) => page.next ?? undefined,
    // How far running runs are is not in their heads.
    refetchInterval: ({ state }) => (state.data?.pages.some((page) => page.runs.some(isMoving)) ? 3_000 : false),
    placeholderData: (before) => before,
  });
  const version = useHeads();
  const listed = useMemo(() => query.data?.pages.flatMap((page) => page.runs) ?? [], [query.data]);
  // Heads are kept outside of the component: their version says that they have changed.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const rows = useMemo(() => listed.filter((run) => !isDeleted(run.runId)).map(latest), [listed, version]);

  // Rows do not move under the pointer: new ones wait.
  const [shown, show] = useState<{ key: string; newest: string }>();
  const newest = rows[0]?.createdAt ?? "";
  const limit = shown?.key === key ? shown.newest : undefined;
  useEffect(() => {
    if (limit === undefined && query.data !== undefined && !query.isPlaceholderData) show({ key, newest });
  }, [key, limit, newest, query.data, query.isPlaceholderData]);
  const isNew = (run: RunRecord) => limit !== undefined && limit !== "" && run.createdAt > limit;

  useEffect(() => {
    if (query.data === undefined || query.isFetching) return;
    const known = new Set(listed.map((run) => run.runId));
    const isUnknown = [...allHeads()].some((run) => run.createdAt > newest && !known.has(run.runId) && fits(run, list));
    if (isUnknown) void queries.invalidateQueries({ queryKey: ["runs", key] });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [version, key]);

  return {
    query,
    rows: rows.filter((run) => !isNew(run)),
    waiting: rows.filter(isNew).length,
    showNew: () => show({ key, newest }),
    total: query.data?.pages.at(-1)?.total ?? undefined,
  };
}

const isMoving = (run: RunRecord): boolean => run.status === "running" || run.status === "pending";

/** The run as the stream has it, where that is newer; how far it is, the list knows better. */
function latest(run: RunRecord): RunRecord {
  const head = headOf(run.runId);
  if (head === undefined) return run;
  const isSame = head.status === run.status && head.wait?.number === run.wait?.number;
  return isSame ? { ...head, progress: run.progress ?? head.progress ?? null, holder: run.holder ?? null } : head;
}

function fits(run: RunRecord, list: ListRuns): boolean {
  if (list.workflow && run.workflowId !== list.workflow) return false;
  return !list.statuses || list.statuses.includes(run.status);
}
