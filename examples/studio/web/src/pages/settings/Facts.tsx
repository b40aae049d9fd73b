import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Button } from "../../parts/Button";
import { Failed, Skeleton } from "../../parts/states";
import { clock } from "../../format";

/** What the server was asked, when that was, and another try. */
export function Asked<R>({ query, children }: { query: UseQueryResult<R>; children: (data: R) => ReactNode }) {
  return (
    <>
      {query.isError ? <Failed failure={query.error} retry={() => void query.refetch()} /> : null}
      {query.isPending ? <Skeleton rows={4} /> : null}
      {query.data === undefined ? null : children(query.data)}
      {query.data === undefined ? null : (
        <p className="two">
          <span className="muted small">
            as of <span className="number">{clock(query.dataUpdatedAt)}</span>
          </span>
          <Button
            slim
            blocked={query.isFetching ? "The server is being asked" : undefined}
            onClick={() => void query.refetch()}
          >
            Ask again
          </Button>
        </p>
      )}
    </>
  );
}

interface FactTableProps {
  label: string;
  head: string[];
  rows: { key: string; cells: ReactNode[] }[];
}

/** A table that scrolls by itself where it is wider than the page. */
export function FactTable({ label, head, rows }: FactTableProps) {
  return (
    <div className="scroll-x" role="region" aria-label={label} tabIndex={0}>
      <table className="cost-table">
        <caption>{label}</caption>
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells: [first, ...others] }) => (
            <tr key={key}>
              <th scope="row">{first}</th>
              {others.map((cell, n) => (
                <td key={n}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
