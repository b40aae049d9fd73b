import { useQuery } from "@tanstack/react-query";
import type { DryRun, Estimate, RunSlot, Spread } from "workflow-client";

import { counted, dollars, duration } from "../../format";
import { Icon } from "../../parts/Icon";
import { client, messageOf } from "../../service/client";

interface Props {
  plan: DryRun | undefined;
  failure: unknown;
  estimate: Estimate | undefined;
  secrets: string[];
  /** Whether the person has tried to start the run. */
  isTried: boolean;
}

/** What would keep the run from starting, what it has to wait for, and how long runs usually take. */
export function Preflight({ plan, failure, estimate, secrets, isTried }: Props) {
  const limits = useQuery({
    queryKey: ["limits"],
    queryFn: ({ signal }) => client.call("workflow:limits", {}, { signal }),
    staleTime: 0,
  });
  const providers = new Set(plan?.stages.flatMap((stage) => stage.lanes.map((lane) => lane.provider)));
  const busy = limits.data?.limits.filter((limit) => providers.has(limit.provider) && limit.used >= limit.limit) ?? [];
  const missing = plan?.missing;
  // Fields that were not filled in yet are no errors.
  const isUnfilled = !isTried && (missing?.variables.length ?? 0) > 0;
  const errors = [
    ...(missing?.providers ?? []),
    ...(missing?.secrets.map((name) => `The secret ${name} is not set: the server reads it from its environment.`) ??
      []),
    ...(isUnfilled ? [] : (missing?.problems ?? [])),
    ...(plan?.diagnostics
      .filter((each) => each.severity === "error")
      .map((each) => `line ${each.line}: ${each.message}`) ?? []),
    ...(failure ? [messageOf(failure)] : []),
  ];
  const warnings = [
    ...(plan?.diagnostics
      .filter((each) => each.severity === "warning")
      .map((each) => `line ${each.line}: ${each.message}`) ?? []),
    ...busy.map((limit) => `All ${limit.limit} slots of ${limit.provider} are used: calls of it are queued.`),
  ];
  return (
    <section className="preflight" aria-label="Before it runs">
      <ul>
        {errors.map((error) => (
          <li key={error} className="tone-failed">
            <Icon name="failed" />
            <span>{error}</span>
          </li>
        ))}
        {warnings.map((warning) => (
          <li key={warning} className="tone-waiting">
            <Icon name="warning" />
            <span>{warning}</span>
          </li>
        ))}
        {isUnfilled ? (
          <li className="tone-cancelled">
            <Icon name="pending" />
            <span>Needs {missing?.variables.join(", ")}</span>
          </li>
        ) : null}
        {plan?.ready && errors.length === 0 ? (
          <li className="tone-completed">
            <Icon name="completed" />
            <span>
              Ready: {counted(plan.stages.length, "stage")} with {[...providers].join(", ") || "no provider"}
              {plan.stages.some((stage) => stage.asks) ? ", asks before it continues" : ""}
              {secrets.length > 0 ? `, uses ${counted(secrets.length, "secret")}` : ""}
            </span>
          </li>
        ) : null}
        {plan?.slot ? (
          <li className="tone-cancelled">
            <Icon name="pending" />
            <span>{slotText(plan.slot)}</span>
          </li>
        ) : null}
        {estimate === undefined ? null : (
          <li className="tone-cancelled">
            <Icon name="clock" />
            <span>{usually(estimate)}</span>
          </li>
        )}
      </ul>
    </section>
  );
}

/** What happens while another run works with the same key. */
function slotText({ key, mode }: RunSlot): string {
  const then =
    mode === "cancel"
      ? "asks it to cancel, and waits until it has ended"
      : mode === "reject"
        ? "is not created"
        : "waits until it has ended";
  return `While another run with the key “${key}” works, this one ${then}.`;
}

/** `usually 6 m 00 s–11 m 00 s, $0.30–$0.90 (12 runs)`. */
export function usually({ runs, durationMs, costUsd, priced }: Estimate): string {
  if (runs === 0 || !durationMs) return "No earlier run to estimate from.";
  const price = costUsd ? `, ${range(costUsd, dollars)}` : ", cost unknown";
  const of = priced > 0 && priced < runs ? `, ${priced} of them priced` : "";
  return `Usually ${range(durationMs, duration)}${price} (${counted(runs, "run")}${of}).`;
}

function range({ p10, p90 }: Spread, write: (value: number) => string): string {
  const [low, high] = [write(p10), write(p90)];
  return low === high ? low : `${low}–${high}`;
}
