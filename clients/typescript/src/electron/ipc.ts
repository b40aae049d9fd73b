// The parts of Electron's objects that are used: Electron itself is not a dependency.

/** Electron's `WebContents`. */
export interface WebContentsLike {
  send(channel: string, ...args: unknown[]): void;
  isDestroyed(): boolean;
  once(event: "destroyed", listener: () => void): unknown;
}

/** Electron's `IpcMainInvokeEvent`. */
export interface InvokeEventLike {
  sender: WebContentsLike;
}

/** Electron's `ipcMain`. */
export interface IpcMainLike<E extends InvokeEventLike = InvokeEventLike> {
  handle(channel: string, listener: (event: E, ...args: any[]) => unknown): void;
  removeHandler(channel: string): void;
}

/** Electron's `ipcRenderer`. */
export interface IpcRendererLike {
  invoke(channel: string, ...args: unknown[]): Promise<any>;
  on(channel: string, listener: (event: any, ...args: any[]) => void): unknown;
  removeListener(channel: string, listener: (event: any, ...args: any[]) => void): unknown;
}

/** Electron's `contextBridge`. */
export interface ContextBridgeLike {
  exposeInMainWorld(key: string, api: unknown): void;
}
