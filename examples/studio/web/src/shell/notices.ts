import { useSyncExternalStore } from "react";

/** What the page says beside its content: a notice that stays until it is closed, and confirmations. */
interface Notices {
  notice: string | undefined;
  toasts: { id: number; text: string }[];
  /** For screen readers: politely, and at once. */
  polite: string;
  assertive: string;
}

let notices: Notices = { notice: undefined, toasts: [], polite: "", assertive: "" };
const listeners = new Set<() => void>();
let next = 1;

function set(change: Partial<Notices>): void {
  notices = { ...notices, ...change };
  for (const listener of listeners) listener();
}

export const useNotices = (): Notices =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );

export const notice = (text: string | undefined): void => set({ notice: text });

/** Confirms something, for 8 seconds. */
export function toast(text: string): void {
  const id = next;
  next += 1;
  set({ toasts: [...notices.toasts.slice(-2), { id, text }] });
}

export const closeToast = (id: number): void => set({ toasts: notices.toasts.filter((toast) => toast.id !== id) });

let waiting: ReturnType<typeof setTimeout> | undefined;
let last = 0;

/** Tells a screen reader what has changed, at most every 5 seconds: the latest. */
export function announce(text: string): void {
  clearTimeout(waiting);
  waiting = setTimeout(
    () => {
      last = Date.now();
      set({ polite: text });
    },
    Math.max(0, last + 5_000 - Date.now()),
  );
}

/** Tells a screen reader at once: a person is needed, or the run has ended. */
export const alertNow = (text: string): void => set({ assertive: text });
