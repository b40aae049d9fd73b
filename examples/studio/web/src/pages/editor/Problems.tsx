import { useEffect, useRef } from "react";
import type { Fix, Problem } from "workflow-client";

import { counted } from "../../format";
import { Button } from "../../parts/Button";
import { Icon } from "../../parts/Icon";

interface Props {
  problems: Problem[];
  isKnown: boolean;
  /** The problem between whose fixes a person is to choose; a new object for each request. */
  choose: { problem: Problem } | undefined;
  onFind: (problem: Problem) => void;
  onFix: (fix: Fix) => void;
}

/** What is wrong in the text; each leads to its place there. */
export function Problems({ problems, isKnown, choose, onFind, onFix }: Props) {
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    if (choose === undefined) return;
    const item = list.current?.children[problems.indexOf(choose.problem)];
    item?.querySelector<HTMLElement>(".fixes button")?.focus();
    // Each request once.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [choose]);
  if (!isKnown) return <p className="muted small problems-none">The text is being checked.</p>;
  if (problems.length === 0) {
    return (
      <p className="status tone-completed problems-none">
        <Icon name="completed" />
        No problems
      </p>
    );
  }
  return (
    <section className="problems" aria-label="Problems">
      <h2>
        {counted(problems.length, "problem")}
        <span className="muted small problems-keys">
          <kbd>F8</kbd> next <kbd>Ctrl+.</kbd> fix
        </span>
      </h2>
      <ul ref={list}>
        {problems.map((problem) => (
          <li key={`${problem.line} ${problem.column} ${problem.code} ${problem.message}`}>
            <button type="button" onClick={() => onFind(problem)}>
              <span className={`status tone-${problem.severity === "error" ? "failed" : "waiting"}`}>
                <Icon name="warning" />
                {problem.severity === "error" ? "Error" : "Warning"}
              </span>
              <span className="muted number">{problem.file ?? `line ${problem.line}`}</span>
              <span>{problem.message}</span>
            </button>
            {problem.fixes.length === 0 ? null : (
              <span className="fixes">
                {problem.fixes.map((fix) => (
                  <Button key={fix.title} slim onClick={() => onFix(fix)}>
                    {fix.title}
                  </Button>
                ))}
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
