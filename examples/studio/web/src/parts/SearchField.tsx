import { useEffect, useRef, useState } from "react";

import { Icon } from "./Icon";

/** A search, which is applied when typing pauses. `/` focuses it, Escape empties it. */
export function SearchField({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (q: string) => void;
}) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    // The address changed otherwise: back, or a link.
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  const change = (next: string, wait: number) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      sent.current = next;
      onChange(next);
    }, wait);
  };
  return (
    <span className="search">
      <Icon name="search" />
      <input
        className="field"
        type="search"
        data-search
        aria-label={label}
        placeholder={label}
        title="/"
        value={text}
        onChange={(event) => change(event.target.value, 200)}
        onKeyDown={(event) => {
          if (event.key === "Enter") change(text, 0);
          if (event.key === "Escape") change("", 0);
        }}
      />
    </span>
  );
}
