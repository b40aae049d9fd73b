import type { ReactNode } from "react";

import { useNarrow } from "./narrow";

/** The filters of a list: on a narrow page they are closed until they are wanted. */
export function FilterBox({ count, children }: { count: number; children: ReactNode }) {
  if (!useNarrow()) return children;
  return (
    <details className="filter-box">
      <summary>{count === 0 ? "Filters" : `Filters (${count})`}</summary>
      <div className="filter-box-body">{children}</div>
    </details>
  );
}
