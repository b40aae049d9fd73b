import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { RunPlan, RunView, Wait } from "workflow-client";

import { placeWords } from "../../address";
import { clock, cost, duration, moment } from "../../format";
import { Button } from "../../parts/Button";
import { Icon, Status } from "../../parts/Icon";
import { Elapsed, useNow } from "../../parts/Time";
import type { RunFeed } from "../../run/feed";
import { attemptsOf, failedPlace } from "../../run/rows";
import type { Attempt } from "../../run/timeline";
import { useOffline } from "../../service/contact";
import { failureClass, needsPerson, quotaWords, waitStatus } from "../../words";
import { WaitCard } from "../inbox/WaitCard";
import { ForkDialog } from "./ForkDialog";
import { RerunDialog } from "./RerunDialog";
import { SignalForm } from "./SignalForm";
import { printable } from "./DataPanel";
import type { RunSearch } from "./query";

interface Props {
  run: RunView;
  feed: RunFeed;
  plan: RunPlan | undefined;
  onSelect: (change: RunSearch) => void;
}

/** What the run needs, or why it failed: before everything else. */
export function AttentionBand({ run, feed, plan, onSelect }: Props) {
  const waits = run.waits ?? (run.wait ? [run.wait] : []);
  const [index, setIndex] = useState(0);
  if (run.status === "failed") return <FailureCard run={run} feed={feed} plan={plan} onSelect={onSelect} />;
  const ofPersons = waits.filter((wait) => needsPerson(wait.reason));
  const wait = ofPersons[Math.min(index, ofPersons.length - 1)];
  if (wait !== undefined) {
    return (
      <div className="attention tone-waiting">
        {ofPersons.length > 1 ? (
          <div className="attention-which">
            <span className="number">
              {Math.min(index, ofPersons.length - 1) + 1} of {ofPersons.length} waits
            </span>
            <Button slim onClick={() => setIndex((index + 1) % ofPersons.length)}>
              Next
            </Button>
          </div>
        ) : null}
        <WaitCard key={wait.number} runId={run.runId} run={run} wait={wait} feed={feed} plan={plan} />
      </div>
    );
  }
  const other = waits.find((each) => each.reason === "quota") ?? waits[0];
  return other === undefined ? null : <OtherWait run={run} wait={other} plan={plan} />;
}

/** A wait that ends by itself, or by Resume. */
function OtherWait({ run, wait, plan }: { run: RunView; wait: Wait; plan: RunPlan | undefined }) {
  const now = useNow();
  const until = wait.until ? Date.parse(wait.until) : undefined;
  const place = wait.place ? placeWords(wait.place, plan) : undefined;
  const { tone, word } = waitStatus(wait.reason);
  const text = {
    quota: quotaWords(wait, now),
    pause: `Paused${run.stoppedBy ? ` by ${run.stoppedBy.name ?? run.stoppedBy.id}` : ""}. Resume continues it.`,
    retry: until === undefined ? "It is tried again." : `It is tried again at ${clock(until)}.`,
    timer: until === undefined ? "A node waits for a time." : `A node waits until ${moment(until, now)}.`,
    signal: `A node waits for the signal ${wait.signal ?? ""}${until === undefined ? "" : `, until ${moment(until, now)}`}.`,
    child: "A node waits for the run that it has started.",
  }[wait.reason as "quota" | "pause" | "retry" | "timer" | "signal" | "child"];
  if (text === undefined) return null;
  return (
    <div className={`attention is-slim tone-${tone}`}>
      <Status tone={tone} word={word} />
      <span>{text}</span>
      {wait.run ? (
        <Link to="/runs/$run/timeline" params={{ run: wait.run }} className="mono">
          {wait.run}
        </Link>
      ) : null}
      {place === undefined ? null : <span className="muted">{place}</span>}
      {wait.since ? (
        <span className="muted">
          since <Elapsed from={Date.parse(wait.since)} />
        </span>
      ) : null}
      {wait.signal ? <SignalForm key={wait.signal} runId={run.runId} name={wait.signal} /> : null}
    </div>
  );
}

function costWords({ usage }: Attempt): string {
  const costUsd = usage?.costUsd ?? null;
  return `cost ${cost({ attempts: 1, costUsd, unpriced: costUsd === null ? 1 : 0 })}`;
}

/** What happened, what was tried, what can be done. */
function FailureCard({ run, feed, plan, onSelect }: Props) {
  const [isOpen, open] = useState(false);
  const [isForking, fork] = useState(false);
  const offline = useOffline();
  const now = useNow();
  const place = failedPlace(feed.timeline);
  const item = place === undefined ? undefined : feed.timeline.get(place);
  const failed = item === undefined ? [] : attemptsOf(item).filter(({ attempt }) => attempt.outcome !== "succeeded");
  const error = item?.error ?? run.error;
  return (
    <div className="attention tone-failed" role="region" aria-label="Why the run failed">
      <div className="attention-head">
        <span className="status tone-failed">
          <Icon name="failed" />
          {error ? failureClass(error) : "Failed"}
        </span>
        {place === undefined ? null : (
          <button type="button" className="link" onClick={() => onSelect({ at: place })}>
            {placeWords(place, plan)}
          </button>
        )}
        {run.completedAt ? <span className="muted number">{moment(Date.parse(run.completedAt), now)}</span> : null}
      </div>
      {error ? <pre className="message">{printable(error.message)}</pre> : null}
      {run.error && error !== run.error && run.error.message !== error?.message ? (
        <p className="muted small">{printable(run.error.message)}</p>
      ) : null}
      {failed.length > 0 ? (
        <details className="tried" open={failed.length <= 3}>
          <summary>Tried {failed.length === 1 ? "once" : `${failed.length} times`}</summary>
          <ol>
            {failed.map(({ place: path, attempt }) => (
              <li key={`${path}#${attempt.number}`}>
                <button
                  type="button"
                  className="link"
                  onClick={() => onSelect({ at: place, attempt: String(attempt.number) })}
                >
                  Attempt {attempt.number}
                </button>
                <span className="number muted">{clock(attempt.from)}</span>
                <span className="number muted">{duration((attempt.to ?? attempt.from) - attempt.from)}</span>
                <span className="number muted">{costWords(attempt)}</span>
                <span className="ellipsis">
                  {attempt.error
                    ? `${failureClass(attempt.error)}: ${printable(attempt.error.message)}`
                    : attempt.outcome}
                  {attempt.parked ? ", waited for the quota" : attempt.repair ? ", output corrected" : ""}
                </span>
              </li>
            ))}
          </ol>
        </details>
      ) : null}
      <div className="attention-actions">
        <Button kind="primary" icon="retrying" blocked={offline} onClick={() => open(true)}>
          Rerun from what failed
        </Button>
        <Button icon="fork" blocked={offline} onClick={() => fork(true)}>
          Fork with changes
        </Button>
        <Link to="/workflows/$id/run" params={{ id: run.workflowId }} search={{ from: run.runId }} className="button">
          Run with other variables
        </Link>
      </div>
      {isOpen ? <RerunDialog run={run} plan={plan} onClose={() => open(false)} /> : null}
      {isForking ? <ForkDialog run={run} plan={plan} onClose={() => fork(false)} /> : null}
    </div>
  );
}
