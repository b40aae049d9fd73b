import type { Client } from "../client.js";
import { ServiceFailure } from "../failure.js";
import { RunEvents } from "./events.js";
import type { InvokeEventLike, IpcMainLike } from "./ipc.js";
import { runLogs } from "./logs.js";
import { progressOfHead, progressOfRun, runDetail, workflowInfo } from "./mapping.js";
import { Parts } from "./parts.js";
import type { IpcResponse, RunOptions, RunProgress, SkillInfo, WorkflowInfo } from "./shapes.js";
import { editsOf, infoOfFile, textOfInfo } from "./workflow-file.js";

export interface BindOptions<E extends InvokeEventLike = InvokeEventLike> {
  /** Whether a page may call; every page may unless given. An app checks `event.senderFrame` here. */
  isAllowed?: (event: E) => boolean;
  /** Told when the stream of events ends although windows listen. */
  onFailure?: (failure: unknown) => void;
}

/** How many runs `run:list` has at most. */
const MOST_RUNS = 200;

/** Registers the app's channels in the main process. Returns a function that removes them and ends the stream. */
export function bindIpc<E extends InvokeEventLike>(
  ipcMain: IpcMainLike<E>,
  client: Client,
  options: BindOptions<E> = {},
): () => void {
  const events = new RunEvents(client, options.onFailure ?? (() => {}));
  const channels: string[] = [];
  const handle = (channel: string, answer: (event: E, ...args: any[]) => unknown) => {
    channels.push(channel);
    ipcMain.handle(channel, async (event, ...args): Promise<IpcResponse<unknown>> => {
      try {
        if (options.isAllowed?.(event) === false) {
          throw new ServiceFailure("forbidden", `this page may not call ${channel}`);
        }
        return { success: true, data: await answer(event, ...args) };
      } catch (failure) {
        return { success: false, error: errorOf(failure) };
      }
    });
  };

  handle("workflow:list", async () => (await client.call("workflow:list")).workflows.map(workflowInfo));
  handle("workflow:get", async (_, id: string) => {
    try {
      return infoOfFile(await client.call("workflow:get", { id }));
    } catch (failure) {
      if (failure instanceof ServiceFailure && failure.code === "not_found") return null;
      throw failure;
    }
  });
  handle("workflow:create", async (_, info: WorkflowInfo) => {
    await client.call("workflow:create", { id: info.id, text: textOfInfo(info) });
    return infoOfFile(await client.call("workflow:get", { id: info.id }));
  });
  handle("workflow:update", async (_, info: WorkflowInfo) => {
    const { version, model } = await client.call("workflow:get", { id: info.id });
    const edits = editsOf(info, model);
    if (edits.length > 0) await client.call("workflow:update", { id: info.id, version, edits });
    return infoOfFile(await client.call("workflow:get", { id: info.id }));
  });
  handle("workflow:delete", async (_, id: string) => {
    await client.call("workflow:delete", { id });
    return { success: true };
  });
  handle("workflow:run", async (_, id: string, run: RunOptions = {}) => {
    if (run.mode !== undefined && run.mode !== "headless") {
      throw new ServiceFailure("not_supported", `runs in the mode \`${run.mode}\` are not supported: use \`headless\``);
    }
    const { vars, interactive, on_failure: onFailure, max_iters: maxIters } = run;
    return client.start({
      id,
      ...(vars === undefined ? {} : { vars }),
      ...(interactive === undefined ? {} : { interactive }),
      ...(onFailure === undefined ? {} : { onFailure }),
      ...(maxIters === undefined ? {} : { maxIters }),
    });
  });

  handle("run:list", async () => {
    const { runs } = await client.call("workflow:runs:list", { limit: MOST_RUNS });
    return Promise.all(
      runs.map(async (run): Promise<RunProgress> => {
        // The head of a run that is under way is as old as its last change of status.
        if (run.status !== "running" && run.status !== "pending") return progressOfHead(run);
        return progressOfRun((await client.call("workflow:runs:get", { runId: run.runId })).run);
      }),
    );
  });
  handle("run:status", async (_, runId: string) =>
    progressOfRun((await client.call("workflow:runs:get", { runId })).run),
  );
  handle("run:getDetail", async (_, runId: string) =>
    runDetail((await client.call("workflow:runs:get", { runId })).run),
  );
  for (const control of ["pause", "resume", "cancel"] as const) {
    handle(`run:${control}`, async (_, runId: string) => {
      await client.call(`workflow:runs:${control}`, { runId });
    });
  }
  handle("run:subscribe", (event) => events.add(event.sender));
  handle("run:unsubscribe", (event) => events.remove(event.sender));

  handle("run:logs", (_, runId: string) => runLogs(client, runId));

  const parts = new Parts(client);
  handle("config:assignments:get", () => parts.assignments());
  handle("config:assignments:set", (_, assignments) => parts.setAssignments(assignments));
  handle("config:profiles:list", (_, stage?: string) => parts.profiles(stage));
  handle("config:profiles:set", (_, stage: string, profile) => parts.setProfile(stage, profile));
  handle("config:roles:list", () => parts.roles());
  handle("role:list", () => parts.roles());
  handle("role:get", (_, id: string) => parts.role(id));
  // Roles are read again whenever they are used.
  handle("role:reload", () => {});
  handle("skill:list", () => parts.skills());
  handle("skill:get", (_, id: string) => parts.skill(id));
  handle("skill:create", (_, skill: SkillInfo) => parts.createSkill(skill));
  handle("skill:update", (_, skill: SkillInfo) => parts.updateSkill(skill));
  handle("skill:delete", (_, id: string) => parts.deleteSkill(id));
  handle("skill:duplicate", (_, id: string, newId?: string) => parts.duplicateSkill(id, newId));
  handle("provider:getAvailable", () => parts.providers());
  return () => {
    events.stop();
    for (const channel of channels) ipcMain.removeHandler(channel);
  };
}

function errorOf(failure: unknown): NonNullable<IpcResponse<never>["error"]> {
  if (!(failure instanceof ServiceFailure)) {
    return { code: "internal", message: failure instanceof Error ? failure.message : String(failure) };
  }
  const { code, message, details } = failure;
  return details === undefined ? { code, message } : { code, message, details };
}
