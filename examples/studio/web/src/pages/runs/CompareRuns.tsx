import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import type { ComparedRun, ComparedStage, Comparison, Difference, Excerpt, StageTotal } from "workflow-client";

import { placeWords } from "../../address";
import { cost, dollars, duration, shortCost } from "../../format";
import { Icon, Status } from "../../parts/Icon";
import { Empty, Failed, Skeleton } from "../../parts/states";
import { Moment } from "../../parts/Time";
import { useTitle } from "../../parts/title";
import { client } from "../../service/client";
import { failureClass, runStatus, stageStatus } from "../../words";
import { printable } from "../run/DataPanel";

interface Search {
  a?: string | undefined;
  b?: string | undefined;
  all?: string | undefined;
}

/** Two runs beside each other: what differs, or all of it. */
export function CompareRuns() {
  useTitle("Compare runs");
  const { a, b, all }: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const query = useQuery({
    queryKey: ["compare", a, b],
    queryFn: ({ signal }) => client.call("workflow:runs:compare", { runId: a ?? "", otherRunId: b ?? "" }, { signal }),
    enabled: Boolean(a && b),
    staleTime: 5_000,
  });
  return (
    <div className="page compare">
      <header className="page-head">
        <nav aria-label="Place" className="crumbs">
          <Link to="/runs">Runs</Link>
          <Icon name="open" />
        </nav>
        <h1>Compare</h1>
        <span className="grow" />
        <label className="choice">
          <input
            type="checkbox"
            checked={all === undefined}
            onChange={(event) =>
              void navigate({
                to: "/runs/compare",
                search: { a, b, all: event.target.checked ? undefined : "1" },
                replace: true,
              })
            }
          />
          <span>Only what differs</span>
        </label>
      </header>
      {!a || !b ? (
        <Empty text="Choose two runs in the list, and compare them.">
          <Link to="/runs" className="button">
            Runs
          </Link>
        </Empty>
      ) : query.isError ? (
        <div className="table">
          <Failed failure={query.error} retry={() => void query.refetch()} />
        </div>
      ) : query.isPending ? (
        <Skeleton rows={10} />
      ) : (
        <Compared comparison={query.data} isWhole={all !== undefined} />
      )}
    </div>
  );
}

function Compared({ comparison, isWhole }: { comparison: Comparison; isWhole: boolean }) {
  const { first, second, definition, vars, divergence } = comparison;
  const stages = comparison.stages.filter((stage) => isWhole || differs(stage));
  return (
    <div className="compare-body">
      <div className="pair is-head">
        <Head run={first} />
        <Head run={second} />
      </div>
      {divergence ? (
        <p className="compare-note">
          They differ first in{" "}
          <strong>
            {placeWords(divergence.path ?? `${divergence.iteration}/${divergence.stage ?? ""}`, {
              loop: divergence.iteration > 1 ? true : null,
              stages: [],
            })}
          </strong>
          , in the {divergence.what}: {printable(divergence.first)} – {printable(divergence.second)}
        </p>
      ) : (
        <p className="compare-note">Both runs did the same.</p>
      )}
      <Section title="Definition" isShown={definition.length > 0} same="Both follow the same definition.">
        <Differences differences={definition} />
      </Section>
      <Section title="Variables" isShown={vars.length > 0} same="They were started with the same variables.">
        <Differences differences={vars} />
      </Section>
      <Section title="Stages" isShown={stages.length > 0} same="No stage differs.">
        {stages.map((stage) => (
          <section key={stage.stage} className="compare-stage" aria-label={stage.stage}>
            <h3>
              {stage.stage} <span className="muted small number">{changes(stage)}</span>
            </h3>
            <div className="pair">
              <Total total={stage.first ?? undefined} />
              <Total total={stage.second ?? undefined} />
            </div>
          </section>
        ))}
      </Section>
    </div>
  );
}

function differs({ first, second }: ComparedStage): boolean {
  if (!first || !second) return Boolean(first ?? second);
  return (
    first.status !== second.status ||
    first.passes !== second.passes ||
    first.failedAttempts !== second.failedAttempts ||
    first.output?.text !== second.output?.text ||
    first.error?.message !== second.error?.message ||
    first.spent.costUsd !== second.spent.costUsd
  );
}

function changes({ longerMs, dearerUsd }: ComparedStage): string {
  const signed = (value: number, text: (positive: number) => string) =>
    `${value < 0 ? "−" : "+"}${text(Math.abs(value))}`;
  const parts: string[] = [];
  if (longerMs) parts.push(signed(longerMs, duration));
  if (dearerUsd) parts.push(signed(dearerUsd, dollars));
  return parts.join(", ");
}

function Head({ run }: { run: ComparedRun }) {
  return (
    <div>
      <Link to="/runs/$run/timeline" params={{ run: run.runId }} className="mono">
        {run.runId}
      </Link>
      <dl className="pairs">
        <dt>Status</dt>
        <dd>
          <Status {...runStatus(run)} />
        </dd>
        <dt>Workflow</dt>
        <dd>{run.workflowId}</dd>
        <dt>Created</dt>
        <dd>
          <Moment at={run.createdAt} />
        </dd>
        <dt>Took</dt>
        <dd className="number">{run.durationMs === null ? "–" : duration(run.durationMs)}</dd>
        <dt>Iteration</dt>
        <dd className="number">{run.iteration}</dd>
        <dt>Cost</dt>
        <dd className="number">{cost(run.spent)}</dd>
      </dl>
      {run.error ? <pre className="message">{printable(run.error.message)}</pre> : null}
    </div>
  );
}

interface SectionProps {
  title: string;
  isShown: boolean;
  same: string;
  children: React.ReactNode;
}

function Section({ title, isShown, same, children }: SectionProps) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {isShown ? children : <p className="muted">{same}</p>}
    </section>
  );
}

function Differences({ differences }: { differences: Difference[] }) {
  return (
    <>
      {differences.map((difference) => (
        <section key={difference.path} className="compare-stage" aria-label={difference.path}>
          <h3>
            <code>{difference.path}</code>
          </h3>
          <div className="pair">
            <Text excerpt={difference.first ?? undefined} />
            <Text excerpt={difference.second ?? undefined} />
          </div>
        </section>
      ))}
    </>
  );
}

function Text({ excerpt }: { excerpt: Excerpt | undefined }) {
  if (excerpt === undefined) return <p className="muted">absent</p>;
  return <pre>{printable(excerpt.text) + (excerpt.truncated ? " …" : "")}</pre>;
}

function Total({ total }: { total: StageTotal | undefined }) {
  if (total === undefined) return <p className="muted">It has not begun.</p>;
  const facts = [
    total.durationMs === null ? undefined : duration(total.durationMs),
    total.passes > 1 ? `${total.passes} passes` : undefined,
    total.failedAttempts > 0 ? `${total.failedAttempts} failed attempts` : undefined,
    `cost ${shortCost(total.spent)}`,
  ];
  return (
    <div>
      <p className="two">
        <Status {...stageStatus(total.status)} />
        <span className="muted small number ellipsis">{facts.filter(Boolean).join(" · ")}</span>
      </p>
      {total.error ? (
        <pre className="message">{`${failureClass(total.error)}: ${printable(total.error.message)}`}</pre>
      ) : null}
      {total.output ? <Text excerpt={total.output} /> : null}
    </div>
  );
}
