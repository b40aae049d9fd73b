import { Link } from "@tanstack/react-router";
import type { RunDetail, RunPlan, RunView } from "workflow-client";

import { cost, dollars, duration, elapsed, shortCost, tokens } from "../../format";
import { Button } from "../../parts/Button";
import { Icon, Status } from "../../parts/Icon";
import { useNow } from "../../parts/Time";
import { copyText } from "../../parts/copy";
import { attemptsOf } from "../../run/rows";
import type { RunFeed } from "../../run/feed";
import { continuedIn, useHeads } from "../../service/heads";
import { useActions } from "../../shell/actions";
import { isOver, runStatus } from "../../words";
import { CancelDialog } from "./CancelDialog";
import { ForkDialog } from "./ForkDialog";
import { MigrateDialog } from "./MigrateDialog";
import { ReportDialog } from "./ReportDialog";
import { RerunDialog } from "./RerunDialog";
import { DeleteRunDialog, RunMenu, useReadOnly, useUndeletable } from "./RunMenu";
import { useControl, useEstimate } from "./query";

interface Props {
  detail: RunDetail;
  feed: RunFeed;
  plan: RunPlan | undefined;
  /** The dialog that is open. */
  show: string | undefined;
  onShow: (show: string | undefined) => void;
}

export function RunHeader(props: Props) {
  const { detail, plan } = props;
  const { run, holder, behind } = detail;
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
        {run.ending ? <span className="muted requested">{run.ending.status} after finally</span> : null}
        {isUnclaimed ? <span className="muted">no process drives it</span> : null}
        {behind ? (
          <span className="muted" title="Of the runs with the same key, one works at a time">
            waits until{" "}
            <Link to="/runs/$run/timeline" params={{ run: behind }} className="mono">
              {behind}
            </Link>{" "}
            has ended
          </span>
        ) : null}
        <span className="grow" />
        <Controls {...props} isUnclaimed={isUnclaimed} />
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
  if (run.parent) {
    const { run: parent, path } = run.parent;
    facts.push({
      name: "For the node",
      value: (
        <Link to="/runs/$run/timeline" params={{ run: parent }} search={{ at: path }} className="mono">
          {path} of {parent}
        </Link>
      ),
    });
  }
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
  useHeads();
  const continued = continuedIn(run.runId);
  if (continued !== undefined) {
    facts.push({
      name: "Continued in",
      value: (
        <Link to="/runs/$run/timeline" params={{ run: continued.runId }} className="mono">
          {continued.runId}
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

function Controls({ detail: { run }, feed, plan, show, onShow, isUnclaimed }: Props & { isUnclaimed: boolean }) {
  const control = useControl(run.runId);
  const offline = useReadOnly();
  const undeletable = useUndeletable(run);
  // Its last stages run whatever the outcome is: a cancellation does not stop them.
  const mustKill = run.requested === "cancel" || Boolean(run.ending);
  const active = feed.timeline.iterations
    .flatMap(attemptsOf)
    .filter(({ attempt }) => attempt.outcome === "running").length;
  const calls = active === 1 ? "1 attempt" : `${active} attempts`;
  const busy = control.isPending ? "The request is being sent" : undefined;
  const isPaused = run.status === "paused" && run.wait?.reason === "pause";
  const mayResume = isPaused || isUnclaimed || (run.status === "paused" && run.wait?.reason === "crashes");
  const over = isOver(run.status) ? "The run has ended" : undefined;
  useActions([
    { name: "Report of this run", run: () => onShow("report"), blocked: offline },
    { name: "Rerun this run", run: () => onShow("rerun"), blocked: offline },
    { name: "Fork this run", run: () => onShow("fork"), blocked: offline },
    { name: "Migrate this run to the current definition", run: () => onShow("migrate"), blocked: offline ?? over },
    {
      name: "Resume this run",
      run: () => control.mutate("resume"),
      blocked: offline ?? busy ?? (mayResume ? undefined : "It is not paused"),
    },
    {
      name: "Pause this run",
      run: () => control.mutate("pause"),
      blocked: offline ?? busy ?? (run.status === "running" && !isUnclaimed ? undefined : "No process runs it"),
    },
    {
      name: "Cancel this run",
      run: () => onShow("cancel"),
      blocked: offline ?? over ?? (run.ending ? "Only its stages of finally are left" : undefined),
    },
    { name: "Delete this run", run: () => onShow("delete"), blocked: undeletable },
  ]);
  return (
    <div className="controls">
      <Button
        className={run.status === "failed" ? "is-second" : undefined}
        icon="fork"
        blocked={offline}
        onClick={() => onShow("fork")}
      >
        Fork
      </Button>
      {isOver(run.status) ? (
        <Button
          kind={run.status === "failed" ? undefined : "primary"}
          className={run.status === "failed" ? "is-second" : undefined}
          icon="retrying"
          blocked={offline}
          onClick={() => onShow("rerun")}
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
          {mustKill ? (
            <Button kind="danger" icon="failed" blocked={offline ?? busy} onClick={() => control.mutate("kill")}>
              Kill now
            </Button>
          ) : (
            <Button kind="danger" icon="cancelled" blocked={offline ?? busy} onClick={() => onShow("cancel")}>
              Cancel
            </Button>
          )}
        </>
      )}
      <Button icon="more" aria-label="More" title="More" onClick={() => onShow("menu")} />
      <RunDialog
        show={show}
        run={run}
        plan={plan}
        calls={active === 0 ? undefined : calls}
        onCancel={() => control.mutate("cancel")}
        onShow={onShow}
      />
    </div>
  );
}

interface DialogProps extends Pick<Props, "show" | "onShow" | "plan"> {
  run: RunView;
  calls: string | undefined;
  onCancel: () => void;
}

/** The dialog of the run that the address names. */
function RunDialog({ show, onShow, run, plan, calls, onCancel }: DialogProps) {
  const onClose = () => onShow(undefined);
  switch (show) {
    case "menu":
      return <RunMenu run={run} onShow={onShow} onClose={onClose} />;
    case "cancel":
      return isOver(run.status) ? null : <CancelDialog calls={calls} onCancel={onCancel} onClose={onClose} />;
    case "fork":
      return <ForkDialog run={run} plan={plan} onClose={onClose} />;
    case "rerun":
      return <RerunDialog run={run} plan={plan} onClose={onClose} />;
    case "migrate":
      return <MigrateDialog run={run} onClose={onClose} />;
    case "report":
      return <ReportDialog run={run} plan={plan} onClose={onClose} />;
    case "delete":
      return <DeleteRunDialog run={run} onClose={onClose} />;
    default:
      return null;
  }
}
