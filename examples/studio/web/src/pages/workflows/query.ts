import { useQuery } from "@tanstack/react-query";

import { client } from "../../service/client";

/** All workflows, with their last runs and their problems. */
export function useWorkflows() {
  return useQuery({
    queryKey: ["workflows"],
    queryFn: ({ signal }) => client.call("workflow:list", {}, { signal }),
  });
}
