import { QueryClient } from "@tanstack/react-query";
import { Client, HttpTransport, ServiceFailure, type Scope } from "workflow-client";

import { contact } from "./contact";
import { token } from "./token";

const transport = new HttpTransport({ url: location.origin, token, fetch: contact.fetch });

export const client = new Client(transport, { name: "workflow-studio 0.1.0", pause: { first: 250, longest: 2_000 } });

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The stream says when something has changed; a lost connection is made again by the stream.
      staleTime: Infinity,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      networkMode: "always",
      retry: (times, failure) => failure instanceof ServiceFailure && failure.code === "too_many_requests" && times < 3,
    },
    mutations: { networkMode: "always", retry: false },
  },
});

let scopes: Scope[] = [];

/** What the token of this page allows, once the server has said so. */
export const mayUse = (scope: Scope): boolean => scopes.length === 0 || scopes.includes(scope);

export async function greet(): Promise<void> {
  ({ scopes } = await client.hello());
}

/** The message of a failure, for a person. */
export function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}

export const codeOf = (failure: unknown): string | undefined =>
  failure instanceof ServiceFailure ? failure.code : undefined;
