import { useSyncExternalStore } from "react";
import { PROTOCOL } from "workflow-client";

import { token } from "./token";

/** How the page reaches the server. */
export interface Contact {
  state: "connecting" | "online" | "offline" | "unauthenticated";
  /** When something was last received. */
  at: number;
  /** How often the connection was made again. */
  epoch: number;
}

type Listener = () => void;

/** Watches every request and stream of the page. */
export class ContactWatch {
  #contact: Contact = { state: "connecting", at: Date.now(), epoch: 0 };
  /** The time of the last byte: it changes often, and is shown only when the connection is lost. */
  #heard = Date.now();
  readonly #listeners = new Set<Listener>();

  get current(): Contact {
    return this.#contact;
  }

  readonly subscribe = (listener: Listener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** `fetch`, which notes whether the server was reached. */
  readonly fetch: typeof globalThis.fetch = async (input, init) => {
    let response: Response;
    try {
      response = await globalThis.fetch(input, init);
    } catch (failure) {
      if (!isAborted(init)) this.#lost();
      throw failure;
    }
    this.#heardNow(response.status === 401 ? "unauthenticated" : "online");
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    if (!isStream || response.body === null) return response;
    const reader = response.body.getReader();
    const watched = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          this.#heard = Date.now();
          if (!done) return controller.enqueue(value);
          if (!isAborted(init)) this.#lost();
          controller.close();
        } catch (failure) {
          if (!isAborted(init)) this.#lost();
          controller.error(failure);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return new Response(watched, { status: response.status, headers: response.headers });
  };

  /** The stream was lost. */
  lost(): void {
    this.#lost();
  }

  /** Asks now whether the server can be reached, and whether it knows the token: one that was started again does not. */
  readonly probe = async (): Promise<void> => {
    try {
      const response = await globalThis.fetch("/api/v1/service:hello", {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ protocol: PROTOCOL }),
      });
      if (response.status === 401) this.#heardNow("unauthenticated");
      else if (response.ok) this.#heardNow("online");
    } catch {
      // It is asked again.
    }
  };

  /** Asks until the server can be reached. */
  async #probeUntilBack(): Promise<void> {
    for (let pause = 250; this.#contact.state === "offline"; pause = Math.min(pause * 2, 2_000)) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      await this.probe();
    }
  }

  #heardNow(state: "online" | "unauthenticated"): void {
    this.#heard = Date.now();
    if (this.#contact.state === state) return;
    const isBack = this.#contact.state === "offline";
    this.#set({ state, at: this.#heard, epoch: this.#contact.epoch + (isBack ? 1 : 0) });
  }

  #lost(): void {
    if (this.#contact.state === "offline") return;
    this.#set({ ...this.#contact, state: "offline", at: this.#heard });
    void this.#probeUntilBack();
  }

  #set(contact: Contact): void {
    this.#contact = contact;
    for (const listener of this.#listeners) listener();
  }
}

const isAborted = (init: RequestInit | undefined): boolean => init?.signal?.aborted ?? false;

export const contact = new ContactWatch();

export const useContact = (): Contact => useSyncExternalStore(contact.subscribe, () => contact.current);

/** Why controls are off; undefined while the server is reached. */
export function useOffline(): string | undefined {
  const { state } = useContact();
  return state === "offline" ? "The server cannot be reached" : undefined;
}
