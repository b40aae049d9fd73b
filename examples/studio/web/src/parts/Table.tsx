import { useVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState, type ReactNode } from "react";

export interface Column<R> {
  name: string;
  /** A track of the grid: `minmax(120px, 1fr)`. */
  width: string;
  cell: (row: R) => ReactNode;
  /** Numbers are aligned to the right. */
  isNumber?: boolean;
  /** Whether a card has the column without its name. */
  isPlain?: boolean;
  /** In place of the name, where that would need more room than the column has. */
  head?: ReactNode;
  /** Whether a card leaves the column out for this row. */
  isEmpty?: (row: R) => boolean;
}

interface Props<R> {
  label: string;
  columns: Column<R>[];
  rows: R[];
  /** How many rows there are on all pages; undefined if that is not known. */
  total: number | undefined;
  keyOf: (row: R) => string;
  /** Called when the end comes into view. */
  onEnd?: () => void;
}

/** A table of which only the rows in view are in the document; on a narrow page its rows are cards. */
export function Table<R>({ label, columns, rows, total, keyOf, onEnd }: Props<R>) {
  const body = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  // What is above the table changes with the page, so its place is measured each time.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  useLayoutEffect(() => {
    const page = document.getElementById("page");
    const top = body.current?.getBoundingClientRect().top ?? 0;
    const above = top - (page?.getBoundingClientRect().top ?? 0) + (page?.scrollTop ?? 0);
    setMargin((known) => (Math.abs(known - above) < 1 ? known : above));
  });

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => document.getElementById("page"),
    estimateSize: () => 33,
    overscan: 12,
    scrollMargin: margin,
    getItemKey: (index) => keyOf(rows[index] as R),
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? -1;
  useLayoutEffect(() => {
    if (last >= rows.length - 1) onEnd?.();
  }, [last, rows.length, onEnd]);
  const template = columns.map((column) => column.width).join(" ");
  return (
    <div className="table" role="table" aria-label={label} aria-rowcount={(total ?? rows.length) + 1}>
      <div role="rowgroup" className="table-head">
        <div className="tr" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
          {columns.map((column) => (
            <div key={column.name} role="columnheader" className={column.isNumber ? "is-number" : undefined}>
              {column.head ?? column.name}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={body} className="table-body" style={{ height: virtual.getTotalSize() }}>
        {shown.map(({ index, start, key }) => {
          const row = rows[index] as R;
          return (
            <div
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              data-row
              className="tr"
              role="row"
              aria-rowindex={index + 2}
              style={{ gridTemplateColumns: template, transform: `translateY(${start - margin}px)` }}
            >
              {columns.map((column) => (
                <div
                  key={column.name}
                  role="cell"
                  className={[column.isNumber && "is-number", column.isEmpty?.(row) && "is-empty"]
                    .filter(Boolean)
                    .join(" ")}
                  data-name={column.isPlain ? undefined : column.name}
                >
                  {column.cell(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}
