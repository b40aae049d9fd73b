import { useQuery } from "@tanstack/react-query";
import type { LimitInfo, ProviderCheck } from "workflow-client";

import { count, counted } from "../../format";
import { Status } from "../../parts/Icon";
import { client, mayUse } from "../../service/client";
import { printable } from "../run/DataPanel";
import { Asked, FactTable } from "./Facts";

/** Whether the host works, and what is missing. */
export function Doctor() {
  const isAllowed = mayUse("run");
  const doctor = useQuery({
    queryKey: ["doctor"],
    queryFn: ({ signal }) => client.call("workflow:doctor", {}, { signal }),
    enabled: isAllowed,
    staleTime: 0,
  });
  const limits = useQuery({
    queryKey: ["limits"],
    queryFn: ({ signal }) => client.call("workflow:limits", {}, { signal }),
    staleTime: 0,
    refetchInterval: 5_000,
  });
  if (!isAllowed) return <p className="muted">The token of this page only reads: it cannot ask programs.</p>;
  return (
    <Asked query={doctor}>
      {({ version, providers, store, catalog }) => (
        <>
          <dl className="facts">
            <div>
              <dt>Version</dt>
              <dd className="number">{version}</dd>
            </div>
            <div>
              <dt>Store</dt>
              <dd>
                <Works problem={store.problem ?? undefined} />
              </dd>
            </div>
            {catalog ? (
              <div>
                <dt>Workflows</dt>
                <dd>
                  {catalog.problem ? <Works problem={catalog.problem} /> : counted(catalog.workflows, "workflow")}
                </dd>
              </div>
            ) : null}
          </dl>
          {providers.length === 0 ? (
            <p className="muted">No provider of this host drives a program that can be asked.</p>
          ) : (
            <FactTable
              label="Programs of providers"
              head={["Provider", "Program", "Installed", "Tested with", "Login", "Keys"]}
              rows={providers.map((check) => ({ key: check.provider, cells: cellsOf(check) }))}
            />
          )}
          {limits.data === undefined || limits.data.limits.length === 0 ? (
            <p className="muted">No provider has a limit of calls at once.</p>
          ) : (
            <FactTable
              label="Calls at once"
              head={["Provider", "In use", "At most", "Queued"]}
              rows={limits.data.limits.map((limit) => ({ key: limit.provider, cells: slotsOf(limit) }))}
            />
          )}
        </>
      )}
    </Asked>
  );
}

function Works({ problem }: { problem: string | undefined }) {
  if (problem === undefined) return <Status tone="completed" word="Works" />;
  return (
    <span className="works">
      <Status tone="failed" word="Cannot be read" /> <span>{printable(problem)}</span>
    </span>
  );
}

function cellsOf({ provider, program, version, problem, tested, isTested, login, keys }: ProviderCheck) {
  const installed =
    version === null ? (
      <span className="works">
        <Status tone="failed" word="Not found" /> <span className="muted">{printable(problem ?? "")}</span>
      </span>
    ) : (
      <span className="works">
        <Status tone={isTested ? "completed" : "waiting"} word={printable(version)} />
        {isTested ? null : <span className="muted">another series than the tested one</span>}
      </span>
    );
  return [
    provider,
    <code key="program">{program}</code>,
    installed,
    tested,
    login === null ? <span className="muted">it cannot be asked</span> : printable(login),
    keys.length === 0 ? <span className="muted">none</span> : <code>{keys.join(", ")}</code>,
  ];
}

const slotsOf = ({ provider, used, limit, queued }: LimitInfo) => [provider, count(used), count(limit), count(queued)];
