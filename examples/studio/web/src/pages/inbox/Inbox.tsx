import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef } from "react";
import type { InboxItem, RunRecord } from "workflow-client";

import { placeWords } from "../../address";
import { Button } from "../../parts/Button";
import { Icon, Status } from "../../parts/Icon";
import { useNarrow } from "../../parts/narrow";
import { Empty, Failed, Skeleton } from "../../parts/states";
import { Age, useNow } from "../../parts/Time";
import { useTitle } from "../../parts/title";
import { useRunFeed } from "../../run/feed";
import { client } from "../../service/client";
import { quotaTime, runStatus, waitStatus } from "../../words";
import { usePlan, useRun } from "../run/query";
import { printable } from "../run/DataPanel";
import { useInbox } from "./query";
import { WaitCard } from "./WaitCard";

interface InboxSearch {
  kind?: string | undefined;
  item?: string | undefined;
}

const idOf = (item: InboxItem): string => `${item.runId}:${item.wait ?? item.reason}`;

/** All that waits for a person, over all runs; below, what waits by itself. */
export function Inbox() {
  useTitle("Inbox");
  const search: InboxSearch = useSearch({ strict: false });
  const navigate = useNavigate();
  const inbox = useInbox();
  const isNarrow = useNarrow();
  const others = useQuery({
    queryKey: ["inbox", "others"],
    queryFn: ({ signal }) =>
      client.call(
        "workflow:runs:list",
        { statuses: ["paused", "running"], waits: ["quota", "pause", "timer", "signal"], limit: 100 },
        { signal },
      ),
  });
  const all = useMemo(() => inbox.data?.items ?? [], [inbox.data]);
  const items = search.kind ? all.filter((item) => item.reason === search.kind) : all;
  const kinds = [...new Set(all.map((item) => item.reason))];
  const chosen = items.find((item) => idOf(item) === search.item) ?? (isNarrow ? undefined : items[0]);
  const select = (item: string | undefined) =>
    void navigate({ to: "/inbox", search: { ...search, item }, replace: true });

  // After an answer the next one has the focus.
  const before = useRef<string>(undefined);
  const chosenId = chosen === undefined ? undefined : idOf(chosen);
  useEffect(() => {
    const isAnswered = before.current !== undefined && !all.some((item) => idOf(item) === before.current);
    if (isAnswered && chosenId !== undefined)
      document.querySelector<HTMLElement>(`[data-item="${CSS.escape(chosenId)}"]`)?.focus();
    before.current = chosenId;
  }, [all, chosenId]);

  const paused = others.data?.runs ?? [];
  if (inbox.isError) {
    return (
      <div className="page pad">
        <Failed failure={inbox.error} retry={() => void inbox.refetch()} />
      </div>
    );
  }
  const list = (
    <div className="inbox-list">
      <header className="page-head">
        <h1>Inbox</h1>
        {inbox.data ? <span className="muted number">{inbox.data.total}</span> : null}
        <span className="grow" />
        {kinds.length > 1 ? (
          <select
            className="field"
            aria-label="Kind"
            value={search.kind ?? ""}
            onChange={(event) =>
              void navigate({ to: "/inbox", search: { kind: event.target.value || undefined }, replace: true })
            }
          >
            <option value="">All kinds</option>
            {kinds.map((kind) => (
              <option key={kind} value={kind}>
                {waitStatus(kind).reason ?? kind}
              </option>
            ))}
          </select>
        ) : null}
      </header>
      {inbox.isPending ? (
        <Skeleton rows={6} height={56} />
      ) : items.length === 0 ? (
        <Empty text={search.kind ? "Nothing of this kind waits." : "Nothing waits for you."}>
          <Link to="/workflows" className="button">
            Run a workflow
          </Link>
        </Empty>
      ) : (
        <ul>
          {items.map((item) => (
            <li key={idOf(item)} data-row>
              <Link
                to="/inbox"
                search={{ ...search, item: idOf(item) }}
                replace
                className="inbox-item"
                data-item={idOf(item)}
                aria-current={chosen === item}
              >
                <span className="two">
                  <Status tone="waiting" word={capital(waitStatus(item.reason).reason ?? item.reason)} />
                  <span className="grow" />
                  {item.since ? <span className="muted small">{<Age at={item.since} />}</span> : null}
                </span>
                <span className="ellipsis">{printable(item.question ?? "").split("\n")[0]}</span>
                <span className="muted small ellipsis">
                  {item.workflowId} · {item.runId}
                  {item.place ? ` · ${placeWords(item.place, undefined)}` : ""}
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
      {paused.length > 0 ? (
        <section className="inbox-others">
          <h2>Waits by itself, or for Resume</h2>
          <ul>
            {paused.map((run) => (
              <Other key={run.runId} run={run} />
            ))}
          </ul>
        </section>
      ) : null}
    </div>
  );
  if (isNarrow && chosen !== undefined) {
    return (
      <div className="page">
        <div className="page-head">
          <Button kind="plain" onClick={() => select(undefined)}>
            ‹ Inbox
          </Button>
        </div>
        <Chosen key={idOf(chosen)} item={chosen} />
      </div>
    );
  }
  return (
    <div className="page inbox">
      {list}
      {isNarrow ? null : (
        <div className="inbox-band">{chosen === undefined ? null : <Chosen key={idOf(chosen)} item={chosen} />}</div>
      )}
    </div>
  );
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function Chosen({ item }: { item: InboxItem }) {
  const run = useRun(item.runId).data?.run;
  const plan = usePlan(item.runId).data;
  const feed = useRunFeed(item.runId, false);
  const wait = run?.waits?.find((each) => each.number === item.wait) ?? {
    reason: item.reason,
    since: item.since ?? null,
    number: item.wait ?? null,
    place: item.place ?? null,
    question: item.question ?? null,
    schema: item.schema,
  };
  return (
    <div className="attention tone-waiting is-alone">
      <p className="attention-run">
        <span>{plan?.name ?? item.workflowId}</span>
        <Icon name="open" />
        <Link to="/runs/$run/timeline" params={{ run: item.runId }} className="mono">
          {item.runId}
        </Link>
      </p>
      <WaitCard runId={item.runId} run={run} wait={wait} feed={feed} plan={plan} />
    </div>
  );
}

function Other({ run }: { run: RunRecord }) {
  const now = useNow();
  return (
    <li data-row>
      <Link to="/runs/$run/timeline" params={{ run: run.runId }} className="inbox-item">
        <span className="two">
          <Status {...runStatus(run)} />
          <span className="grow" />
          {run.wait?.since ? <span className="muted small">{<Age at={run.wait.since} />}</span> : null}
        </span>
        <span className="muted small ellipsis">
          {run.workflowId} · {run.runId}
          {run.wait?.reason === "quota" || run.wait?.reason === "timer" ? ` · ${quotaTime(run.wait, now)}` : ""}
        </span>
      </Link>
    </li>
  );
}
