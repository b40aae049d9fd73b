import { Fragment, memo, type ReactNode } from "react";

import type { RunPlan } from "workflow-client";

import { placeWords } from "../../address";
import { clock, fullTime } from "../../format";
import type { LogRow } from "../../log/rows";
import { lineKind } from "../../words";

interface Props {
  row: LogRow;
  plan: RunPlan | undefined;
  isSelected: boolean;
  sought: string;
  onPick: (row: LogRow, isRange: boolean) => void;
}

export const LogLine = memo(function LogLine({ row, plan, isSelected, sought, onPick }: Props) {
  const number = row.isEvent
    ? `e${row.number}`
    : row.line === undefined || row.line === 1
      ? String(row.number)
      : `.${row.line}`;
  return (
    <div
      className={`log-line level-${row.level}${row.isEvent ? " is-event" : ""}${isSelected ? " is-selected" : ""}`}
      data-key={row.key}
    >
      <button
        type="button"
        className="log-number number"
        tabIndex={-1}
        aria-label={`Select ${number}`}
        onClick={(event) => onPick(row, event.shiftKey)}
      >
        {number}
      </button>
      <span className="log-time number" title={fullTime(row.at)}>
        {clock(row.at)}
      </span>
      <span className="log-place" title={row.place}>
        {row.place === undefined ? "run" : placeWords(row.place, plan)}
        {row.attempt !== undefined && row.attempt > 1 ? ` #${row.attempt}` : ""}
      </span>
      <span className="log-kind">{lineKind(row.kind)}</span>
      <span className="log-text">
        {row.spans.map((span, n) => (
          <span key={n} className={span.classes || undefined}>
            {highlight(span.text, sought)}
          </span>
        ))}
      </span>
    </div>
  );
});

/** The text with what was sought marked. */
function highlight(text: string, sought: string): ReactNode {
  if (sought === "") return text;
  const parts: ReactNode[] = [];
  const lower = text.toLowerCase();
  const needle = sought.toLowerCase();
  if (lower.length !== text.length) return text;
  let end = 0;
  for (let at = lower.indexOf(needle); at >= 0; at = lower.indexOf(needle, end)) {
    parts.push(text.slice(end, at), <mark key={at}>{text.slice(at, at + needle.length)}</mark>);
    end = at + needle.length;
  }
  parts.push(<Fragment key="rest">{text.slice(end)}</Fragment>);
  return parts;
}
