import { useEffect, useState, type ReactNode } from "react";

import { codeOf, messageOf } from "../service/client";
import { copyText } from "./copy";
import { Button } from "./Button";
import { Icon } from "./Icon";

/** What has the size of what is loaded, once loading has taken 200 ms. */
export function Skeleton({ rows, height = 32 }: { rows: number; height?: number }) {
  const [isShown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div role="status" aria-label="Loading" style={{ minHeight: rows * height }}>
      {isShown
        ? Array.from({ length: rows }, (_, row) => (
            <div key={row} className="skeleton-row" style={{ height }}>
              <span className="skeleton" style={{ width: `${[62, 48, 71, 55, 66][row % 5] ?? 60}%`, height: 12 }} />
            </div>
          ))
        : null}
    </div>
  );
}

/** One sentence, and one action. */
export function Empty({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p>{text}</p>
      {children}
    </div>
  );
}

/** A failure: its code, its message, another try, its details to copy. */
export function Failed({ failure, retry }: { failure: unknown; retry?: () => void }) {
  const code = codeOf(failure) ?? "internal";
  const details = () => JSON.stringify({ code, message: messageOf(failure), details: detailsOf(failure) }, null, 2);
  return (
    <div className="note tone-failed" role="alert">
      <span className="status tone-failed">
        <Icon name="warning" />
        <code>{code}</code>
      </span>
      <span className="grow">{messageOf(failure)}</span>
      {retry === undefined ? null : <Button onClick={retry}>Retry</Button>}
      <Button kind="plain" icon="copy" onClick={() => void copyText(details(), "the details")}>
        Copy details
      </Button>
    </div>
  );
}

function detailsOf(failure: unknown): unknown {
  return typeof failure === "object" && failure !== null && "details" in failure ? failure.details : undefined;
}
