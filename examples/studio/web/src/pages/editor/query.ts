import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { client } from "../../service/client";
import type { Known } from "./fields";

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

/** What is in a text and what is wrong with it, once it has not changed for a moment. It says of which text it is. */
export function useChecked(id: string, text: string) {
  const settled = useSettled(text, 150);
  return useQuery({
    queryKey: ["checked", id, settled],
    queryFn: async ({ signal }) => {
      const checked = await client.call("workflow:validate", { id, text: settled, values: true }, { signal });
      return { ...checked, text: settled };
    },
    placeholderData: (known) => known,
    gcTime: 10_000,
  }).data;
}

/** The graph of a text without errors; while it has some, the last one. */
export function useGraph(id: string, text: string | undefined, nodes: boolean) {
  return useQuery({
    queryKey: ["graph", "text", id, nodes, text],
    queryFn: ({ signal }) => client.call("workflow:graph", { id, text: text as string, nodes }, { signal }),
    enabled: text !== undefined,
    placeholderData: (known) => known,
    gcTime: 10_000,
  });
}

/** What stages can name. */
export function useKnown(): Omit<Known, "stages"> {
  const providers = useQuery({
    queryKey: ["providers"],
    queryFn: ({ signal }) => client.call("workflow:providers", {}, { signal }),
  });
  const roles = useQuery({
    queryKey: ["roles"],
    queryFn: ({ signal }) => client.call("workflow:roles", {}, { signal }),
  });
  const profiles = useQuery({
    queryKey: ["profiles"],
    queryFn: ({ signal }) => client.call("workflow:profiles", {}, { signal }),
  });
  const list = providers.data?.providers ?? [];
  return {
    providers: list,
    provider: providers.data?.default ?? (list.find(({ name }) => name === "demo") ?? list[0])?.name,
    roles: roles.data?.items.map(({ id }) => id) ?? [],
    profiles: profiles.data?.items.map(({ id, stage }) => `${stage ?? ""}.${id}`) ?? [],
  };
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
