// For Electron apps: `bindIpc` for the main process, `exposeIn` for the preload script.
export { bindIpc, type BindOptions } from "./electron/bind.js";
export type * from "./electron/ipc.js";
export { codecafeApi, exposeIn, type CodecafeApi } from "./electron/preload.js";
export type * from "./electron/shapes.js";
