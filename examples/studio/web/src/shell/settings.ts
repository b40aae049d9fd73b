import { useSyncExternalStore } from "react";

import { setZone, type Zone } from "../format";

const KEY = "workflow-studio-settings";

/** What a person has chosen in this browser. */
export interface Settings {
  theme: "system" | "light" | "dark";
  density: "normal" | "compact";
  zone: Zone;
  /** Whether keys without Ctrl do something: `g`, `j`, `/`. */
  singleKeys: boolean;
  /** Whether the browser tells what waits while the page is hidden. */
  notify: boolean;
}

const FIRST: Settings = { theme: "system", density: "normal", zone: "local", singleKeys: true, notify: false };
const CHOICES = { theme: ["system", "light", "dark"], density: ["normal", "compact"], zone: ["local", "utc"] } as const;

let settings = read();
const listeners = new Set<() => void>();
apply();

/** Of what is stored only what is known is taken. */
function read(): Settings {
  let stored: Partial<Record<keyof Settings, unknown>> = {};
  try {
    stored = (JSON.parse(localStorage.getItem(KEY) ?? "{}") as object | null) ?? {};
  } catch {
    // A browser that stores nothing, or something else, has what is chosen until the page is closed.
  }
  const choice = <K extends keyof typeof CHOICES>(name: K) =>
    (CHOICES[name] as readonly unknown[]).includes(stored[name]) ? (stored[name] as Settings[K]) : FIRST[name];
  return {
    theme: choice("theme"),
    density: choice("density"),
    zone: choice("zone"),
    singleKeys: stored.singleKeys !== false,
    notify: stored.notify === true,
  };
}

function apply(): void {
  const { dataset } = document.documentElement;
  dataset["theme"] = settings.theme;
  dataset["density"] = settings.density;
  setZone(settings.zone);
}

function take(next: Settings): void {
  settings = next;
  apply();
  for (const listener of listeners) listener();
}

// Other pages of the studio in this browser follow.
addEventListener("storage", (event) => {
  if (event.key === KEY) take(read());
});

export const currentSettings = (): Settings => settings;

export function changeSettings(change: Partial<Settings>): void {
  const next = { ...settings, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // It holds until the page is closed.
  }
  take(next);
}

export const useSettings = (): Settings =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => settings,
  );
