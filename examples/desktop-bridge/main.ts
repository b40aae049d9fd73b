// The main process: starts the service beside the app, and binds it to the app's channels.
import { join } from "node:path";

import { app, ipcMain, type IpcMainInvokeEvent } from "electron";
import { Client } from "workflow-client";
import { bindIpc } from "workflow-client/electron";
import { StdioTransport } from "workflow-client/stdio";

const command = process.env["WORKFLOW_PROGRAM"] ?? join(process.resourcesPath, "workflow");
const home = join(app.getPath("userData"), ".orch");
const client = new Client(new StdioTransport({ command, args: ["--home", home, "serve", "--stdio"] }), {
  name: `${app.getName()} ${app.getVersion()}`,
});

const unbind = bindIpc<IpcMainInvokeEvent>(ipcMain, client, {
  // Only the app's own pages; a page of the web that a window was sent to may not call.
  isAllowed: (event) => event.senderFrame?.url.startsWith("file:") ?? false,
  onFailure: (failure) => console.error("the events of runs ended:", failure),
});

app.on("will-quit", () => {
  unbind();
  // The program stops when its input ends; runs are continued at the next start.
  void client.close();
});
