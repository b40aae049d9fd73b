import { useSyncExternalStore } from "react";

const query = window.matchMedia("(max-width: 719px)");

/** Whether the page is narrow: on a phone, or zoomed in. */
export const useNarrow = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      query.addEventListener("change", listener);
      return () => query.removeEventListener("change", listener);
    },
    () => query.matches,
  );
