import { useId } from "react";
import type { Problem } from "workflow-client";

import { Button } from "../../parts/Button";
import type { FormField } from "./fields";

interface Props {
  field: FormField;
  /** The value in the file; undefined if the form cannot hold it. */
  stored: string | undefined;
  /** What was written and is not in the text yet. */
  written: string | undefined;
  problem: Problem | undefined;
  /** Why it cannot be changed here. */
  refused: string | undefined;
  /** Whether the cursor is in it, in the text. */
  isLinked: boolean;
  onWrite: (text: string) => void;
  onLeave: () => void;
  onFocus: () => void;
  onFind: () => void;
}

/** A field of the form. What it does not have says what is effective instead. */
export function Field({
  field,
  stored,
  written,
  problem,
  refused,
  isLinked,
  onWrite,
  onLeave,
  onFocus,
  onFind,
}: Props) {
  const id = useId();
  const { kind, label, about, absent, path } = field;
  const isAlone = stored !== undefined && refused === undefined;
  const className = `form-field${isLinked ? " is-linked" : ""}`;
  if (stored === undefined) {
    return (
      <div className={className}>
        <span className="label">{label}</span>
        <p className="muted small with-action">
          It has several values.
          <Button slim onClick={onFind} data-path={path}>
            Go to line
            <span className="hidden"> of {label}</span>
          </Button>
        </p>
      </div>
    );
  }
  const current = written ?? stored;
  const common = {
    id,
    "data-path": path,
    value: current,
    "aria-invalid": problem === undefined ? undefined : true,
    "aria-describedby": `${id}-about`,
    onFocus,
    onBlur: onLeave,
  };
  const options = kind === "switch" ? ["true", "false"] : (field.options ?? []);
  return (
    <div className={className}>
      <label htmlFor={id}>{label}</label>
      {kind === "lines" ? (
        <textarea
          className="field"
          rows={label === "Prompt" ? 5 : 2}
          {...common}
          readOnly={!isAlone}
          placeholder={`not set: ${absent}`}
          onChange={(event) => onWrite(event.target.value)}
        />
      ) : kind === "choice" || kind === "switch" ? (
        <select
          className="field"
          {...common}
          aria-disabled={isAlone ? undefined : true}
          onChange={(event) => {
            if (!isAlone) return;
            onWrite(event.target.value);
            onLeave();
          }}
        >
          <option value="">{`not set: ${absent}`}</option>
          {[...new Set([...options, ...(current === "" ? [] : [current])])].map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      ) : (
        <input
          className="field"
          {...common}
          readOnly={!isAlone}
          inputMode={kind === "number" ? "numeric" : undefined}
          placeholder={`not set: ${absent}`}
          onChange={(event) => onWrite(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) onLeave();
          }}
        />
      )}
      <p id={`${id}-about`} className={problem === undefined ? "muted small" : "field-error"}>
        {refused ?? problem?.message ?? about}
      </p>
      {isAlone ? null : (
        <p className="with-action">
          <Button slim onClick={onFind}>
            Go to line
            <span className="hidden"> of {label}</span>
          </Button>
        </p>
      )}
    </div>
  );
}
