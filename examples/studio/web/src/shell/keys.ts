import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";

import { currentSettings } from "./settings";

const PAGES: Record<string, string> = { i: "/inbox", w: "/workflows", r: "/runs", s: "/settings/appearance" };

/** Whether a key is meant for a field or a dialog. */
export function isTyping(event: KeyboardEvent): boolean {
  // Within a shadow root, the target of the event is its host.
  const [inner] = event.composedPath();
  const target = inner instanceof HTMLElement ? inner : null;
  const isField = target?.matches("input, textarea, select, [contenteditable]") ?? false;
  return isField || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null;
}

/** Whether a key without Ctrl is meant for the page: such keys can be turned off. */
export const isForPage = (event: KeyboardEvent): boolean => currentSettings().singleKeys && !isTyping(event);

/**
 * Ctrl+K opens the palette. `?` says what the keys do, `/` focuses the search of the page, `j` and `k` move through its
 * rows, `g` and a letter open a page.
 */
export function useKeys(onHelp: () => void, onPalette: () => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let isGoing = false;
    const press = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !event.shiftKey && !event.altKey) {
        if (document.querySelector("dialog[open]") !== null) return;
        event.preventDefault();
        onPalette();
        return;
      }
      if (!isForPage(event)) return;
      if (isGoing) {
        isGoing = false;
        const to = PAGES[event.key];
        if (to !== undefined) void navigate({ to });
        return;
      }
      if (event.key === "g") isGoing = true;
      else if (event.key === "?") onHelp();
      else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("[data-search]");
        if (search === null) return;
        event.preventDefault();
        search.focus();
        search.select();
      } else if (event.key === "j" || event.key === "k") moveFocus(event.key === "j" ? 1 : -1);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [navigate, onHelp, onPalette]);
}

function moveFocus(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row] a[href]")].filter(
    (link, n, all) => all.findIndex((other) => other.closest("[data-row]") === link.closest("[data-row]")) === n,
  );
  const at = rows.findIndex((row) => row.closest("[data-row]")?.contains(document.activeElement));
  rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}
