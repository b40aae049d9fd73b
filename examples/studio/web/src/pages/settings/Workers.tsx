import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { count, counted } from "../../format";
import { client } from "../../service/client";
import { printable } from "../run/DataPanel";
import { Asked, FactTable } from "./Facts";

/** How many runs of a process are named. */
const NAMED = 10;

/** The processes that drive runs. */
export function Workers() {
  const query = useQuery({
    queryKey: ["workers"],
    queryFn: ({ signal }) => client.call("workflow:workers", {}, { signal }),
    staleTime: 0,
    refetchInterval: 5_000,
  });
  return (
    <Asked query={query}>
      {({ workers, unclaimed, waiting }) => (
        <>
          <dl className="facts">
            <div>
              <dt>No process drives</dt>
              <dd>
                {unclaimed === 0 ? (
                  "0 runs"
                ) : (
                  <Link to="/runs" search={{ status: "pending,running" }}>
                    {counted(unclaimed, "run")}
                  </Link>
                )}
              </dd>
            </div>
            <div>
              <dt>Waiting</dt>
              <dd>{counted(waiting, "run")}</dd>
            </div>
          </dl>
          {workers.length === 0 ? (
            <p className="muted">No process drives a run now. One that drives none is not known.</p>
          ) : (
            <FactTable
              label="Processes"
              head={["Process", "Drives", "Runs"]}
              rows={workers.map(({ holder, runs, runIds }) => ({
                key: holder,
                cells: [
                  printable(holder),
                  <span key="count" className="number">
                    {count(runs)}
                  </span>,
                  <span key="runs" className="worker-runs">
                    {runIds.slice(0, NAMED).map((run) => (
                      <Link key={run} to="/runs/$run/timeline" params={{ run }} className="mono">
                        {run}
                      </Link>
                    ))}
                    {runs > NAMED ? <span className="muted">and {count(runs - NAMED)} more</span> : null}
                  </span>,
                ],
              }))}
            />
          )}
        </>
      )}
    </Asked>
  );
}
