import type { Tone } from "../words";

const SHAPES: Record<string, string> = {
  // Statuses, on 16 × 16.
  running: "M8 1.75a6.25 6.25 0 1 1 0 12.5a6.25 6.25 0 0 1 0-12.5M8 4.5v7a3.5 3.5 0 0 0 0-7",
  completed: "M2.5 8.5l3.6 3.6L13.5 4.2",
  failed: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  waiting: "M5 5.6a3 3 0 1 1 4.4 2.7C8.4 8.8 8 9.4 8 10.4M8 13.2v.1",
  retrying: "M13 8a5 5 0 1 1-1.5-3.6L13.2 6M13.2 2.6V6H9.8",
  quota: "M8 3a5.6 5.6 0 1 1 0 11.2A5.6 5.6 0 0 1 8 3M8 5.8v3l2 1.4M6.2 1.2h3.6",
  pending: "M3 8h.1M8 8h.1M13 8h.1",
  queued: "M3 8h.1M8 8h.1M13 8h.1",
  paused: "M5.5 3.5v9M10.5 3.5v9",
  cancelled: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M3.8 12.2l8.4-8.4",
  skipped: "M2 11.5C3.5 6 9 4.5 12.5 8M13.2 4v4.3H9",
  unknown: "M3.5 8h9",
  // The shell.
  inbox: "M2 9.5l2-6.5h8l2 6.5v3.5H2zM2 9.5h3.6l.9 1.8h3l.9-1.8H14",
  workflows: "M2.5 2.5h4v4h-4zM9.5 9.5h4v4h-4zM4.5 6.5v3a2 2 0 0 0 2 2h3",
  runs: "M2.5 4h11M2.5 8h7M2.5 12h9.5",
  connection: "M2 7a8.5 8.5 0 0 1 12 0M4.4 9.4a5.1 5.1 0 0 1 7.2 0M8 12.2v.1",
  broken: "M2 7a8.5 8.5 0 0 1 12 0M4.4 9.4a5.1 5.1 0 0 1 7.2 0M8 12.2v.1M2.5 2.5l11 11",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9M10.4 10.4l3.4 3.4",
  close: "M4 4l8 8M12 4l-8 8",
  play: "M5 3.2l7.5 4.8L5 12.8z",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  open: "M6 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  more: "M3.5 8h.1M8 8h.1M12.5 8h.1",
  wrap: "M2.5 4h11M2.5 8h9a2 2 0 0 1 0 4H8.5M10 10.3L8.3 12l1.7 1.7M2.5 12h3",
  follow: "M8 2.5v9M4.5 8.2L8 11.7l3.5-3.5M3.5 14h9",
  clock: "M8 2.2a5.8 5.8 0 1 1 0 11.6A5.8 5.8 0 0 1 8 2.2M8 5v3.2l2.2 1.4",
  download: "M8 2.5v7.5M5 7.2L8 10.2l3-3M3 13.5h10",
  warning: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.1",
  fork: "M4.5 3.2v9.6M4.5 8h3.8a3 3 0 0 0 3-3V3.2",
  stage: "M3 3h10v10H3z",
  report: "M3.5 2h6l3 3v9h-9zM9.2 2.2v3h3M5.8 8h4.4M5.8 10.8h4.4",
  settings:
    "M2.5 4.5h6M12 4.5h1.5M8.5 4.5a1.75 1.75 0 1 0 3.5 0a1.75 1.75 0 1 0-3.5 0M2.5 11.5h1.5M7.5 11.5h6M4 11.5a1.75 1.75 0 1 0 3.5 0a1.75 1.75 0 1 0-3.5 0",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={SHAPES[name] ?? ""} />
    </svg>
  );
}

/** The icon and the word of a status: never the colour alone. */
export function Status({
  tone,
  word,
  reason,
  tinted,
}: {
  tone: Tone;
  word: string;
  reason?: string;
  tinted?: boolean;
}) {
  return (
    <span className={`status tone-${tone}${tinted ? " tinted" : ""}`}>
      <Icon name={tone} />
      <span>{reason === undefined ? word : `${word}: ${reason}`}</span>
    </span>
  );
}
