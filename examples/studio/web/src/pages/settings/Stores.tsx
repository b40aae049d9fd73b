import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { RunStatus } from "workflow-client";

import { count, duration } from "../../format";
import { Status } from "../../parts/Icon";
import { client } from "../../service/client";
import { runStatus } from "../../words";
import { printable } from "../run/DataPanel";
import { Asked, FactTable } from "./Facts";

/** Where runs are stored, and how many there are. */
export function Stores() {
  const query = useQuery({
    queryKey: ["stores"],
    queryFn: ({ signal }) => client.call("workflow:stores", {}, { signal }),
    staleTime: 0,
  });
  return (
    <Asked query={query}>
      {({ stores }) =>
        stores.map(({ place, leaseMs, runs }, n) => (
          <section key={n} className="settings-part">
            <dl className="pairs">
              <dt>Place</dt>
              <dd className="mono">{place ? printable(place) : "the host does not say"}</dd>
              <dt>Takeover</dt>
              <dd>
                {typeof leaseMs === "number"
                  ? `another process may take over a run after ${duration(leaseMs)} without a sign of life`
                  : "at once when a process has ended"}
              </dd>
            </dl>
            <FactTable
              label="Runs"
              head={["Status", "Runs"]}
              rows={Object.entries(runs).map(([status, number]) => ({
                key: status,
                cells: [
                  <Status key="status" {...runStatus({ status: status as RunStatus })} />,
                  <Link key="runs" to="/runs" search={{ status }} className="number">
                    {count(number)}
                  </Link>,
                ],
              }))}
            />
          </section>
        ))
      }
    </Asked>
  );
}
