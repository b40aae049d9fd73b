import { useEffect, useRef } from "react";

export interface Place {
  line: number;
  column: number;
  /** Changes with each request, so that the same place can be shown again. */
  request: number;
}

interface Props {
  text: string;
  place: Place | undefined;
  /** Why the text cannot be changed now. */
  frozen: string | undefined;
  onChange: (text: string) => void;
  onSave: () => void;
}

/** The text of the file, with the numbers of its lines. */
export function YamlText({ text, place, frozen, onChange, onSave }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const numbers = useRef<HTMLPreElement>(null);
  const lines = text.split("\n");
  useEffect(() => {
    const field = area.current;
    if (field === null || place === undefined || place.line < 1) return;
    const before = field.value.split("\n").slice(0, place.line - 1);
    const start = before.reduce((sum, line) => sum + line.length + 1, 0) + Math.max(0, place.column - 1);
    const height = field.scrollHeight / Math.max(1, field.value.split("\n").length);
    field.focus();
    field.setSelectionRange(start, start);
    field.scrollTop = Math.max(0, (place.line - 4) * height);
  }, [place]);
  return (
    <div className="yaml">
      <pre ref={numbers} aria-hidden="true">
        {lines.map((_, index) => index + 1).join("\n")}
      </pre>
      <textarea
        ref={area}
        aria-label="YAML of the workflow"
        spellCheck={false}
        autoCapitalize="off"
        wrap="off"
        readOnly={frozen !== undefined}
        title={frozen}
        value={text}
        onChange={(event) => onChange(event.target.value)}
        onScroll={(event) => {
          if (numbers.current !== null) numbers.current.scrollTop = event.currentTarget.scrollTop;
        }}
        onKeyDown={(event) => {
          if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          onSave();
        }}
      />
    </div>
  );
}
