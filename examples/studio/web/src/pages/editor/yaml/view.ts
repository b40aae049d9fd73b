import { defaultKeymap, history, historyKeymap, indentWithTab, redo, undo } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { search, searchKeymap } from "@codemirror/search";
import {
  EditorSelection,
  EditorState,
  StateEffect,
  StateField,
  Transaction,
  type TransactionSpec,
} from "@codemirror/state";
import {
  Decoration,
  EditorView,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  type DecorationSet,
} from "@codemirror/view";
import type { Fix, Problem } from "workflow-client";

import { offset, splice } from "../texts";
import { look } from "./look";

/** A place in the text: a line and a column in characters, counted from 1. */
export interface TextPlace {
  line: number;
  column: number;
}

/** Lines that belong to the field that has the focus. */
type Lines = { from: number; to: number } | undefined;

const link = StateEffect.define<Lines>();
const linkedLine = Decoration.line({ class: "cm-linked" });

const linked = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, transaction) => {
    let shown = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(link)) shown = marksOf(effect.value, transaction.state);
    }
    return shown;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function marksOf(lines: Lines, { doc }: EditorState): DecorationSet {
  if (lines === undefined) return Decoration.none;
  const marks = [];
  for (let line = Math.max(1, lines.from); line <= Math.min(lines.to, doc.lines); line += 1) {
    marks.push(linkedLine.range(doc.line(line).from));
  }
  return Decoration.set(marks);
}

/** The text of the file, which is the only state of the editor: the form changes it too, so there is one undo history. */
export class YamlView {
  #state: EditorState;
  #view: EditorView | undefined;
  readonly #listeners = new Set<() => void>();
  /** Called when a person moves the cursor in the text. */
  onCursor: () => void = () => undefined;
  onFix: (fix: Fix) => void = () => undefined;

  constructor(text: string) {
    this.#state = EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        history(),
        highlightSpecialChars(),
        bracketMatching(),
        indentOnInput(),
        indentUnit.of("  "),
        yaml(),
        search({ top: true }),
        linked,
        look,
        EditorView.lineWrapping,
        // Tab indents, except after Escape: then it leaves the text.
        keymap.of([indentWithTab, ...defaultKeymap, ...historyKeymap, ...searchKeymap]),
        EditorView.contentAttributes.of({
          "aria-label": "YAML of the workflow",
          "aria-description": "Escape, then Tab leaves the text.",
        }),
        EditorView.updateListener.of((update) => {
          this.#state = update.state;
          if (update.docChanged) this.#tell();
          const isOfPerson = update.transactions.some(
            (each) => each.isUserEvent("select") || each.isUserEvent("input"),
          );
          if (
            update.selectionSet &&
            isOfPerson &&
            !update.transactions.some((each) => each.isUserEvent("input.form"))
          ) {
            this.onCursor();
          }
        }),
      ],
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Puts the text into an element. What is returned takes it out again; the history stays. */
  attach(parent: HTMLElement): () => void {
    const root = parent.shadowRoot ?? parent.attachShadow({ mode: "open", delegatesFocus: true });
    const view = new EditorView({ state: this.#state, parent: root, root });
    this.#view = view;
    return () => {
      this.#view = undefined;
      view.destroy();
    };
  }

  #dispatch(spec: TransactionSpec): void {
    if (this.#view !== undefined) return this.#view.dispatch(spec);
    const { state, docChanged } = this.#state.update(spec);
    this.#state = state;
    if (docChanged) this.#tell();
  }

  readonly read = (): string => this.#state.doc.toString();

  get cursor(): TextPlace {
    const { head } = this.#state.selection.main;
    const line = this.#state.doc.lineAt(head);
    return { line: line.number, column: [...line.text.slice(0, head - line.from)].length + 1 };
  }

  get hasFocus(): boolean {
    return this.#view?.hasFocus ?? false;
  }

  /** Makes it another text in one step, which can be undone unless it is what the file has become. */
  replace(text: string, from: "form" | "file"): void {
    const change = splice(this.read(), text);
    if (change === undefined) return;
    this.#dispatch({
      changes: change,
      userEvent: "input.form",
      annotations: Transaction.addToHistory.of(from === "form"),
    });
  }

  apply(fix: Fix): void {
    const text = this.read();
    const from = offset(text, fix.line, fix.column);
    const to = offset(text, fix.endLine, fix.endColumn);
    this.#dispatch({
      changes: { from, to, insert: fix.newText },
      selection: { anchor: from + fix.newText.length },
      userEvent: "input.form",
      scrollIntoView: true,
    });
  }

  /** Shows a place; the cursor and the focus go there. */
  goTo({ line, column }: TextPlace, isFocused = true): void {
    const at = offset(this.read(), Math.max(1, line), Math.max(1, column));
    this.#dispatch({
      selection: EditorSelection.cursor(at),
      effects: EditorView.scrollIntoView(at, { y: "nearest", yMargin: 60 }),
    });
    if (isFocused) this.#view?.focus();
  }

  /** Marks the lines of a field, and brings them into view. */
  link(lines: Lines): void {
    const effects: StateEffect<unknown>[] = [link.of(lines)];
    if (lines !== undefined && lines.from >= 1 && lines.from <= this.#state.doc.lines) {
      const at = this.#state.doc.line(lines.from).from;
      effects.push(EditorView.scrollIntoView(at, { y: "nearest", yMargin: 60 }));
    }
    this.#dispatch({ effects });
  }

  /** Shows what is wrong with the text as it is now. */
  showProblems(problems: Problem[]): void {
    const text = this.read();
    const shown = problems
      .filter(({ line, file }) => line > 0 && file === undefined)
      .map((problem): Diagnostic => {
        const from = offset(text, problem.line, problem.column);
        return {
          from,
          to: Math.max(from, offset(text, problem.endLine, problem.endColumn)),
          severity: problem.severity,
          message: problem.message,
          actions: problem.fixes.map((fix) => ({ name: fix.title, apply: () => this.onFix(fix) })),
        };
      });
    this.#dispatch(setDiagnostics(this.#state, shown));
  }

  undo(): void {
    if (this.#view !== undefined) undo(this.#view);
  }

  redo(): void {
    if (this.#view !== undefined) redo(this.#view);
  }
}
