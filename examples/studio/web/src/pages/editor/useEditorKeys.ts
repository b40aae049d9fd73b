import { useEffect, useRef } from "react";
import type { Fix, Problem } from "workflow-client";

import { announce } from "../../shell/notices";
import type { YamlView } from "./yaml/view";

interface Actions {
  yaml: YamlView;
  problems: Problem[];
  /** The field that is chosen. */
  at: string | undefined;
  /** Whether something was written in a field that is not in the text yet. */
  isWritten: (path: string) => boolean;
  drop: (path: string) => void;
  save: () => void;
  run: () => void;
  goTo: (problem: Problem) => void;
  fix: (fix: Fix) => void;
  /** Lets a person choose between the fixes of a problem. */
  choose: (problem: Problem) => void;
}

/** The keys of the editor, wherever the focus is in the page, before the text or a field takes them. */
export function useEditorKeys(actions: Actions): void {
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (document.querySelector("dialog[open]") !== null || !take(latest.current, event)) return;
      event.preventDefault();
      event.stopPropagation();
    };
    document.addEventListener("keydown", press, true);
    return () => document.removeEventListener("keydown", press, true);
  }, []);
}

/** Whether the key is one of the editor's, which then has done its work. */
function take(actions: Actions, event: KeyboardEvent): boolean {
  const isCommand = (event.ctrlKey || event.metaKey) && !event.altKey;
  const key = event.key.toLowerCase();
  if (key === "f8") next(actions, event.shiftKey ? -1 : 1);
  else if (isCommand && key === "s") actions.save();
  else if (isCommand && key === "enter") actions.run();
  else if (isCommand && key === ".") correct(actions);
  else if (isCommand && (key === "z" || key === "y")) {
    // The text has its own keys; a field has what was written in it, and then the history of the text.
    if (actions.yaml.hasFocus) return false;
    const path = event.target instanceof HTMLElement ? event.target.dataset["path"] : undefined;
    if (path !== undefined && actions.isWritten(path)) actions.drop(path);
    else if (key === "y" || event.shiftKey) actions.yaml.redo();
    else actions.yaml.undo();
  } else return false;
  return true;
}

/** The next problem behind the cursor, or the one before it; after the last the first. */
function next({ yaml, problems, goTo }: Actions, by: 1 | -1): void {
  const placed = problems.filter(({ line, file }) => line > 0 && file === undefined);
  if (placed.length === 0) return announce("No problems");
  const { line, column } = yaml.cursor;
  const after = (problem: Problem) => (problem.line - line || problem.column - column) * by > 0;
  const ordered = [...placed].sort((a, b) => (a.line - b.line || a.column - b.column) * by);
  const found = ordered.find(after) ?? ordered[0];
  if (found !== undefined) goTo(found);
}

/** Corrects the problem of the line or of the field, with what the service offers; a person chooses between several. */
function correct({ yaml, problems, at, fix, choose }: Actions): void {
  const { line } = yaml.cursor;
  const isHere = (problem: Problem) =>
    yaml.hasFocus ? problem.line <= line && line <= problem.endLine : problem.path === at;
  const found = problems.filter(({ fixes, file }) => fixes.length > 0 && file === undefined).find(isHere);
  if (found === undefined) return announce("There is no fix here");
  const [only, ...others] = found.fixes;
  if (only !== undefined && others.length === 0) fix(only);
  else choose(found);
}
