import { useQuery } from "@tanstack/react-query";

import { client } from "../../service/client";

/** All that waits for a person, the oldest first. */
export function useInbox() {
  return useQuery({
    queryKey: ["inbox"],
    queryFn: ({ signal }) => client.call("workflow:runs:inbox", { limit: 500 }, { signal }),
  });
}
