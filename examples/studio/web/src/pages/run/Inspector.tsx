import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import type { Event, RunPlan } from "workflow-client";

import { clock, cost, duration, exactClock, tokens } from "../../format";
import { placeWords } from "../../address";
import { Button } from "../../parts/Button";
import { Icon, Status } from "../../parts/Icon";
import { Failed } from "../../parts/states";
import { useNow } from "../../parts/Time";
import { copyText } from "../../parts/copy";
import type { RunFeed } from "../../run/feed";
import { costOf, rows } from "../../run/rows";
import type { Attempt, Item } from "../../run/timeline";
import { client } from "../../service/client";
import { isTyping } from "../../shell/keys";
import { failureClass, stageStatus, type Shown } from "../../words";
import { printable, Value } from "./DataPanel";
import type { RunSearch } from "./query";

interface Props {
  feed: RunFeed;
  plan: RunPlan | undefined;
  at: string;
  attempt: string | undefined;
  onSelect: (change: RunSearch) => void;
}

/** What is selected in the timeline: its attempts, its output, why it failed. */
export function Inspector({ feed, plan, at, attempt, onSelect }: Props) {
  const close = () => onSelect({ at: undefined, attempt: undefined });
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !isTyping(event)) close();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  });
  const item = feed.timeline.get(at);
  const row = rows(feed.timeline, plan, new Set()).find((each) => each.item.place === at || each.work.place === at);
  const work = row?.work ?? item;
  return (
    <aside className="inspector" aria-label="Selection" ref={ref}>
      <header>
        <h2 className="ellipsis">{placeWords(at, plan)}</h2>
        <Button
          kind="plain"
          icon="copy"
          aria-label="Copy the link to this place"
          onClick={() => void copyText(location.href, "the link")}
        />
        <Button kind="plain" icon="close" aria-label="Close the selection" onClick={close} />
      </header>
      {item === undefined || work === undefined ? (
        <p className="pad muted">{feed.timeline.seq === 0 ? "Loading" : `The run has no place ${at}.`}</p>
      ) : (
        <Selected
          feed={feed}
          item={item}
          work={work}
          stopWhen={item.kind === "iteration" ? plan?.loop?.stopWhen : undefined}
          number={attempt === undefined ? undefined : Number(attempt)}
          onSelect={onSelect}
        />
      )}
    </aside>
  );
}

interface SelectedProps {
  feed: RunFeed;
  item: Item;
  work: Item;
  /** Of an iteration: the condition that ends the loop. */
  stopWhen: string | undefined;
  number: number | undefined;
  onSelect: (change: RunSearch) => void;
}

function Selected({ feed, item, work, stopWhen, number, onSelect }: SelectedProps) {
  const now = useNow();
  const chosen = work.attempts.find((attempt) => attempt.number === number) ?? work.attempts.at(-1);
  const isChosen = chosen !== undefined && chosen.number === number;
  const error = isChosen ? chosen.error : (item.error ?? work.error);
  const spent = costOf(item);
  const from = item.from;
  const to = item.to ?? feed.timeline.endedAt;
  return (
    <div className="inspector-body" tabIndex={0} role="region" aria-label="Details">
      <dl className="pairs">
        <dt>Status</dt>
        <dd>
          <Status {...stageStatus(item.status)} />
        </dd>
        {work.provider ? (
          <>
            <dt>Provider</dt>
            <dd>{work.provider}</dd>
          </>
        ) : null}
        {work.role ? (
          <>
            <dt>Role</dt>
            <dd>{work.role}</dd>
          </>
        ) : null}
        {work.run ? (
          <>
            <dt>Run</dt>
            <dd className="ellipsis">
              <Link to="/runs/$run/timeline" params={{ run: work.run }} className="mono">
                {work.run}
              </Link>
            </dd>
          </>
        ) : null}
        {from === undefined ? null : (
          <>
            <dt>Time</dt>
            <dd className="number">
              {duration((to ?? now) - from)}
              <span className="muted">
                {" "}
                from {exactClock(from)}
                {item.to === undefined ? "" : ` to ${exactClock(item.to)}`}
              </span>
            </dd>
          </>
        )}
        <dt>Cost</dt>
        <dd className="number">{cost(spent)}</dd>
      </dl>
      {stopWhen === undefined ? null : (
        <section>
          <h3>Loop</h3>
          <p>
            {item.ended === undefined
              ? "The iteration has not ended."
              : item.ended.done
                ? "The loop stopped: the condition holds."
                : item.ended.next === undefined
                  ? "The loop stopped: there are no more iterations."
                  : `The condition does not hold: the next iteration begins with ${item.ended.next}.`}
          </p>
          <pre>{printable(stopWhen)}</pre>
        </section>
      )}
      {error ? (
        <section className="failure">
          <h3 className="status tone-failed">
            <Icon name="failed" />
            {failureClass(error)}
          </h3>
          <pre>{printable(error.message)}</pre>
        </section>
      ) : null}
      {work.attempts.length > 0 ? (
        <section>
          <h3>Attempts</h3>
          <ol className="attempts">
            {work.attempts.map((attempt) => (
              <li key={attempt.number}>
                <button
                  type="button"
                  aria-pressed={attempt.number === number}
                  onClick={() => onSelect({ attempt: attempt.number === number ? undefined : String(attempt.number) })}
                >
                  <Status {...attemptStatus(attempt)} />
                  <span className="number">#{attempt.number}</span>
                  <span className="number muted" title={exactClock(attempt.from)}>
                    {clock(attempt.from)}
                  </span>
                  <span className="number">{duration((attempt.to ?? to ?? now) - attempt.from)}</span>
                  <span className="ellipsis muted">
                    {attempt.error ? failureClass(attempt.error) : usageWords(attempt)}
                  </span>
                </button>
              </li>
            ))}
          </ol>
        </section>
      ) : null}
      {chosen?.session ? (
        <section>
          <h3>Session</h3>
          <code>{chosen.session}</code>
        </section>
      ) : null}
      <Output runId={feed.runId} event={isChosen ? chosen.event : (work.event ?? item.event)} />
    </div>
  );
}

function attemptStatus(attempt: Attempt): Shown {
  if (attempt.outcome === "succeeded") return { tone: "completed", word: "Succeeded" };
  if (attempt.outcome === "interrupted") return { tone: "cancelled", word: "Interrupted" };
  return stageStatus(attempt.outcome);
}

function usageWords(attempt: Attempt): string {
  if (attempt.outcome === "running") return "";
  const { usage } = attempt;
  const costUsd = usage?.costUsd ?? null;
  const isCounted = (usage?.inputTokens ?? usage?.outputTokens ?? null) !== null;
  const used = (usage?.inputTokens ?? 0) + (usage?.outputTokens ?? 0);
  const price = cost({ attempts: 1, costUsd, unpriced: costUsd === null ? 1 : 0 });
  return `${price}${isCounted ? `, ${tokens({ attempts: 1, tokens: used, uncounted: 0 })} tokens` : ""}`;
}

/** The output of an attempt or a node: the stream leaves large ones out, so it is read by its number. */
function Output({ runId, event }: { runId: string; event: number | undefined }) {
  const output = useQuery({
    queryKey: ["event", runId, event],
    queryFn: ({ signal }) =>
      client.call("workflow:runs:events", { runId, after: (event ?? 1) - 1, limit: 1 }, { signal }),
    enabled: event !== undefined,
  });
  if (event === undefined) return null;
  if (output.isError) return <Failed failure={output.error} retry={() => void output.refetch()} />;
  const value = valueOf(output.data?.events[0]);
  if (value === undefined || value === null) return null;
  return (
    <section>
      <h3>
        Output <span className="muted small">event {event}</span>
      </h3>
      <Value path={undefined} value={value} />
    </section>
  );
}

function valueOf(event: Event | undefined): unknown {
  return event !== undefined && "data" in event && "output" in event.data ? event.data.output : undefined;
}
