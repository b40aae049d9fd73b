import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/**
 * How the text looks. The text is in a shadow root, whose style sheets are constructed: the content security policy of the
 * page allows these, and no style element. It forbids pictures of `data:` addresses as well, which is why those of the
 * diagnostics are replaced.
 */
const theme = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--bg)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto" },
  ".cm-content": { padding: "8px 0", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 12px 0 6px" },
  ".cm-line.cm-linked": { backgroundColor: "color-mix(in srgb, var(--accent) 10%, transparent)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--accent) 20%, transparent)" },
  "& .cm-content ::selection, & .cm-line::selection": {
    backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", borderRight: "1px solid var(--line)" },
  ".cm-gutter-lint": { width: "18px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "0 2px" },
  ".cm-lint-marker": { width: "14px", height: "20px", fontWeight: "700", textAlign: "center", cursor: "default" },
  ".cm-lint-marker-error, .cm-lint-marker-warning": { content: "normal" },
  ".cm-lint-marker-error::before": { content: '"✕"', color: "var(--failed)" },
  ".cm-lint-marker-warning::before": { content: '"!"', color: "var(--waiting)" },
  ".cm-lintRange": { backgroundImage: "none", paddingBottom: "0" },
  ".cm-lintRange-error": { textDecoration: "underline wavy var(--failed)", textUnderlineOffset: "3px" },
  ".cm-lintRange-warning": { textDecoration: "underline wavy var(--waiting)", textUnderlineOffset: "3px" },
  ".cm-lintRange-active": { backgroundColor: "color-mix(in srgb, var(--failed) 12%, transparent)" },
  ".cm-lintPoint-error:after": { borderBottomColor: "var(--failed)" },
  ".cm-lintPoint-warning:after": { borderBottomColor: "var(--waiting)" },
  ".cm-tooltip": {
    maxWidth: "min(520px, 90vw)",
    color: "var(--text)",
    backgroundColor: "var(--raised)",
    border: "1px solid var(--line)",
    borderRadius: "var(--radius)",
    boxShadow: "var(--lift)",
    fontFamily: "var(--sans)",
  },
  ".cm-diagnostic": { padding: "6px 10px", borderLeft: "3px solid var(--edge)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--failed)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--waiting)" },
  ".cm-diagnosticAction": {
    minHeight: "24px",
    padding: "0 8px",
    color: "var(--text)",
    backgroundColor: "var(--raised)",
    border: "1px solid var(--edge)",
    borderRadius: "var(--radius)",
    font: "500 12px/18px var(--sans)",
  },
  ".cm-panels": { color: "var(--text)", backgroundColor: "var(--surface)", fontFamily: "var(--sans)" },
  ".cm-panels.cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panel.cm-search": { padding: "6px 28px 6px 8px" },
  ".cm-panel.cm-search [name=close]": { top: "4px", right: "4px", width: "24px", height: "24px", color: "var(--text)" },
  ".cm-textfield": {
    minHeight: "24px",
    color: "var(--text)",
    backgroundColor: "var(--bg)",
    border: "1px solid var(--edge)",
    borderRadius: "var(--radius)",
    fontSize: "13px",
  },
  ".cm-button": {
    minHeight: "24px",
    color: "var(--text)",
    backgroundColor: "var(--raised)",
    backgroundImage: "none",
    border: "1px solid var(--edge)",
    borderRadius: "var(--radius)",
    fontSize: "12px",
  },
  ".cm-searchMatch": { backgroundColor: "var(--mark)" },
  ".cm-searchMatch-selected": { outline: "2px solid var(--accent)", backgroundColor: "var(--mark)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--completed)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--retrying)" },
  { tag: [tags.keyword, tags.meta, tags.typeName, tags.labelName], color: "var(--waiting)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--muted)" },
]);

export const look = [theme, syntaxHighlighting(colours)];
