import { useEffect, useId } from "react";

/** Something that a person can do on the page that is open. */
export interface Action {
  name: string;
  run: () => void;
  /** Why it cannot be done now. */
  blocked?: string | undefined;
}

const offered = new Map<string, Action[]>();

/** Offers actions in the palette while the component is shown. */
export function useActions(actions: Action[]): void {
  const id = useId();
  // They act on what is shown now: the newest replace the others at each render.
  useEffect(() => {
    offered.set(id, actions);
  });
  useEffect(() => () => void offered.delete(id), [id]);
}

/** What can be done on this page. */
export const pageActions = (): Action[] => [...offered.values()].flat();
