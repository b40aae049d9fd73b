// The preload script: gives the page `window.codecafe`. Bundle it to one file for a sandboxed window.
import { contextBridge, ipcRenderer } from "electron";
import { exposeIn } from "workflow-client/electron";

exposeIn(contextBridge, ipcRenderer);
