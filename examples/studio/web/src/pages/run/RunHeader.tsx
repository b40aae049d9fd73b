import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { RunDetail, RunPlan } from "workflow-client";

import { cost, dollars, duration, elapsed, shortCost, tokens } from "../../format";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Icon, Status } from "../../parts/Icon";
import { useNow } from "../../parts/Time";
import { copyText } from "../../parts/copy";
import { attemptsOf } from "../../run/rows";
import type { RunFeed } from "../../run/feed";
import { mayUse } from "../../service/client";
import { useOffline } from "../../service/contact";
import { isOver, runStatus } from "../../words";
import { ForkDialog } from "./ForkDialog";
import { RerunDialog } from "./RerunDialog";
import { useControl, useEstimate } from "./query";

interface Props {
  detail: RunDetail;
  feed: RunFeed;
  plan: RunPlan | undefined;
}

export function RunHeader({ detail, feed, plan }: Props) {
  const { run, holder } = detail;
  const isUnclaimed = run.status === "running" && (holder ?? null) === null;
  return (
    <header className="run-head">
      <div className="run-title">
        <nav aria-label="Place" className="crumbs">
          <Link to="/runs" search={{ workflow: run.workflowId }}>
            {plan?.name ?? run.workflowId}
          </Link>
          <Icon name="open" />
        </nav>
        <h1 className="ellipsis" title={run.runId}>
          {run.runId}
        </h1>
        <Button
          kind="plain"
          slim
          icon="copy"
          aria-label="Copy the link to this run"
          title="Copy the link to this run"
          onClick={() => void copyText(location.href, "the link")}
        />
        <Status {...runStatus(run)} tinted />
        {run.requested && !isOver(run.status) ? (
          <span className="muted requested">{run.requested} requested</span>
        ) : null}
        {isUnclaimed ? <span className="muted">no process drives it</span> : null}
        <span className="grow" />
        <Controls detail={detail} feed={feed} plan={plan} isUnclaimed={isUnclaimed} />
      </div>
      <Facts detail={detail} plan={plan} />
    </header>
  );
}

function Facts({ detail: { run }, plan }: { detail: RunDetail; plan: RunPlan | undefined }) {
  const now = useNow();
  const estimate = useEstimate(isOver(run.status) ? undefined : run.workflowId).data;
  const from = run.startedAt === null ? undefined : Date.parse(run.startedAt);
  const facts: { name: string; value: React.ReactNode; title?: string }[] = [];
  if (from !== undefined) {
    const value = run.completedAt ? duration(Date.parse(run.completedAt) - from) : elapsed(now - from);
    facts.push({ name: run.completedAt ? "Took" : "Elapsed", value });
  }
  const usual = estimate?.durationMs;
  if (!isOver(run.status) && from !== undefined && usual && estimate.runs >= 3) {
    const left = usual.median - (now - from);
    const runs = `the median of ${estimate.runs} earlier runs is ${duration(usual.median)}`;
    facts.push({ name: "Remaining", value: left > 0 ? `about ${elapsed(left)}` : "longer than usual", title: runs });
  }
  if (plan?.loop) facts.push({ name: "Iteration", value: `${run.iteration} of ≤ ${plan.loop.maxIters}` });
  const budget = plan?.budget?.costUsd ?? null;
  const spent = `${shortCost(run.spent)}${budget === null ? "" : ` of ${dollars(budget)}`}`;
  facts.push({ name: "Spent", value: spent, title: `${cost(run.spent)}, ${tokens(run.spent)} tokens` });
  if (run.spent.attempts > 0) facts.push({ name: "Ended attempts", value: run.spent.attempts });
  if (run.forked) {
    facts.push({
      name: "Forked from",
      value: (
        <Link to="/runs/$run/timeline" params={{ run: run.forked.from }} className="mono">
          {run.forked.from}
        </Link>
      ),
    });
  }
  if (run.startedBy) facts.push({ name: "Started by", value: run.startedBy.name ?? run.startedBy.id });
  return (
    <dl className="facts">
      {facts.map(({ name, value, title }) => (
        <div key={name} title={title}>
          <dt>{name}</dt>
          <dd className="number">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Controls({ detail: { run }, feed, plan, isUnclaimed }: Props & { isUnclaimed: boolean }) {
  const control = useControl(run.runId);
  const offline = useOffline() ?? (mayUse("run") ? undefined : "The token of this page only reads");
  const [open, setOpen] = useState<"cancel" | "rerun" | "fork">();
  const isCancelling = run.requested === "cancel";
  const active = feed.timeline.iterations
    .flatMap(attemptsOf)
    .filter(({ attempt }) => attempt.outcome === "running").length;
  const calls = active === 1 ? "1 attempt" : `${active} attempts`;
  const busy = control.isPending ? "The request is being sent" : undefined;
  const isPaused = run.status === "paused" && run.wait?.reason === "pause";
  const mayResume = isPaused || isUnclaimed || (run.status === "paused" && run.wait?.reason === "crashes");
  return (
    <div className="controls">
      <Button
        className={run.status === "failed" ? "is-second" : undefined}
        icon="fork"
        blocked={offline}
        onClick={() => setOpen("fork")}
      >
        Fork
      </Button>
      {isOver(run.status) ? (
        <Button
          kind={run.status === "failed" ? undefined : "primary"}
          className={run.status === "failed" ? "is-second" : undefined}
          icon="retrying"
          blocked={offline}
          onClick={() => setOpen("rerun")}
        >
          Rerun
        </Button>
      ) : (
        <>
          {mayResume ? (
            <Button kind="primary" icon="play" blocked={offline ?? busy} onClick={() => control.mutate("resume")}>
              {isUnclaimed ? "Resume here" : "Resume"}
            </Button>
          ) : null}
          {run.status === "running" && !isUnclaimed ? (
            <Button
              icon="paused"
              title={active === 0 ? undefined : `${calls} finish first`}
              blocked={offline ?? busy ?? (run.requested ? `${run.requested} is requested` : undefined)}
              onClick={() => control.mutate("pause")}
            >
              {run.requested === "pause" ? "Pause requested" : "Pause"}
            </Button>
          ) : null}
          {isCancelling ? (
            <Button kind="danger" icon="failed" blocked={offline ?? busy} onClick={() => control.mutate("kill")}>
              Kill now
            </Button>
          ) : (
            <Button kind="danger" icon="cancelled" blocked={offline ?? busy} onClick={() => setOpen("cancel")}>
              Cancel
            </Button>
          )}
        </>
      )}
      {open === "cancel" ? (
        <Dialog title="Cancel this run?" onClose={() => setOpen(undefined)}>
          <div className="body">
            <p>
              {active === 0
                ? "No attempt is running."
                : `${calls} will be told to stop, and killed after a grace period.`}{" "}
              A run that was cancelled cannot be resumed; it can be rerun.
            </p>
          </div>
          <footer>
            <span className="grow" />
            <Button onClick={() => setOpen(undefined)}>Keep it running</Button>
            <Button
              kind="danger"
              blocked={offline}
              onClick={() => {
                setOpen(undefined);
                control.mutate("cancel");
              }}
            >
              Cancel the run
            </Button>
          </footer>
        </Dialog>
      ) : null}
      {open === "fork" ? <ForkDialog run={run} plan={plan} onClose={() => setOpen(undefined)} /> : null}
      {open === "rerun" ? <RerunDialog run={run} plan={plan} onClose={() => setOpen(undefined)} /> : null}
    </div>
  );
}
