import { EventEmitter } from "node:events";

import type { ContextBridgeLike, InvokeEventLike, IpcMainLike, IpcRendererLike } from "../src/electron.js";

/** Objects shaped like Electron's, for one window: values are copied between the processes, as Electron does. */
export function electron(url = "file:///app/index.html") {
  const handlers = new Map<string, (event: InvokeEventLike, ...args: any[]) => unknown>();
  const window = new EventEmitter();
  const sender = Object.assign(new EventEmitter(), {
    send: (channel: string, ...args: unknown[]) => void window.emit(channel, { sender: window }, ...structuredClone(args)),
    isDestroyed: () => false,
  });
  const ipcMain: IpcMainLike = {
    handle(channel, listener) {
      if (handlers.has(channel)) throw new Error(`Attempted to register a second handler for '${channel}'`);
      handlers.set(channel, listener);
    },
    removeHandler: (channel) => void handlers.delete(channel),
  };
  const ipcRenderer: IpcRendererLike = {
    async invoke(channel, ...args) {
      const handler = handlers.get(channel);
      if (handler === undefined) throw new Error(`No handler registered for '${channel}'`);
      // Functions cannot be sent.
      const sent = args.filter((argument) => typeof argument !== "function");
      return structuredClone(await handler({ sender, senderFrame: { url } } as InvokeEventLike, ...structuredClone(sent)));
    },
    on: (channel, listener) => window.on(channel, listener),
    removeListener: (channel, listener) => window.removeListener(channel, listener),
  };
  const world: Record<string, unknown> = {};
  const contextBridge: ContextBridgeLike = {
    exposeInMainWorld(key, api) {
      if (key in world) throw new Error("Cannot bind an API on top of an existing property on the window object");
      world[key] = api;
    },
  };
  return { ipcMain, ipcRenderer, contextBridge, world, window, sender, handlers };
}
