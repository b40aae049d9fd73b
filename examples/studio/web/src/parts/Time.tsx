import { useSyncExternalStore } from "react";

import { age, elapsed, fullTime, moment } from "../format";
import { contact } from "../service/contact";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    // What is shown is as old as the last contact.
    now = contact.current.state === "offline" ? contact.current.at : Date.now();
    for (const each of listeners) each();
  }, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time, each second; without a connection that of the last contact. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => now);

export function Moment({ at }: { at: string }) {
  const current = useNow();
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={fullTime(time)} className="number">
      {moment(time, current)}
    </time>
  );
}

export function Age({ at }: { at: string }) {
  const current = useNow();
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={fullTime(time)} className="number">
      {age(current - time)}
    </time>
  );
}

/** The time since `from`, counting up. */
export function Elapsed({ from }: { from: number }) {
  const current = useNow();
  return <span className="number">{elapsed(current - from)}</span>;
}
