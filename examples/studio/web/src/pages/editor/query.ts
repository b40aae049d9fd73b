import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { client } from "../../service/client";

/** The file of a workflow, as it is stored. */
export function useFile(id: string) {
  return useQuery({
    queryKey: ["file", id],
    queryFn: ({ signal }) => client.call("workflow:get", { id }, { signal }),
    staleTime: 0,
    // Other programs write the file as well, and no message says so.
    refetchInterval: 3_000,
  });
}

/** What is wrong in a text, once it has not changed for a moment. */
export function useProblems(id: string, text: string) {
  const settled = useSettled(text, 150);
  return useQuery({
    queryKey: ["problems", id, settled],
    queryFn: ({ signal }) => client.call("workflow:validate", { id, text: settled }, { signal }),
    placeholderData: (known) => known,
    gcTime: 10_000,
  });
}

export function useProviders() {
  return useQuery({
    queryKey: ["providers"],
    queryFn: ({ signal }) => client.call("workflow:providers", {}, { signal }),
  });
}

/** A value once it has not changed for `wait` milliseconds. */
function useSettled(value: string, wait: number): string {
  const [settled, settle] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => settle(value), wait);
    return () => clearTimeout(timer);
  }, [value, wait]);
  return settled;
}
