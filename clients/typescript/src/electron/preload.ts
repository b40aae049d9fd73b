import type { ContextBridgeLike, IpcRendererLike } from "./ipc.js";
import type {
  IpcResponse,
  ProfileInfo,
  ProviderInfo,
  RoleInfo,
  RunEvent,
  RunLogEntry,
  RunOptions,
  RunProgress,
  SkillInfo,
  StageAssignment,
  WorkflowInfo,
  WorkflowRunDetail,
} from "./shapes.js";

type Answer<T> = Promise<IpcResponse<T>>;

/** The app's `window.codecafe`, as far as it concerns workflows. */
export interface CodecafeApi {
  workflow: {
    list(): Answer<WorkflowInfo[]>;
    get(id: string): Answer<WorkflowInfo | null>;
    create(workflow: WorkflowInfo): Answer<WorkflowInfo>;
    update(workflow: WorkflowInfo): Answer<WorkflowInfo>;
    delete(id: string): Answer<{ success: boolean }>;
    run(id: string, options?: RunOptions): Answer<{ runId: string }>;
  };
  run: {
    list(): Answer<RunProgress[]>;
    getStatus(runId: string): Answer<RunProgress>;
    getDetail(runId: string): Answer<WorkflowRunDetail>;
    pause(runId: string): Answer<void>;
    resume(runId: string): Answer<void>;
    cancel(runId: string): Answer<void>;
    getLogs(runId: string): Answer<RunLogEntry[]>;
    /** Calls back with the events of all runs from now on. Returns a function that ends it. */
    onEvent(callback: (event: RunEvent) => void): () => void;
  };
  config: {
    assignments: {
      get(): Answer<Record<string, StageAssignment>>;
      set(assignments: Record<string, StageAssignment>): Answer<void>;
    };
    profiles: { list(stage?: string): Answer<ProfileInfo[]>; set(stage: string, profile: ProfileInfo): Answer<void> };
    roles: { list(): Answer<RoleInfo[]> };
  };
  role: { list(): Answer<RoleInfo[]>; get(id: string): Answer<RoleInfo | null>; reload(): Answer<void> };
  skill: {
    list(): Answer<SkillInfo[]>;
    get(id: string): Answer<SkillInfo | null>;
    create(skill: SkillInfo): Answer<SkillInfo>;
    update(skill: Partial<SkillInfo> & { id: string }): Answer<SkillInfo>;
    delete(id: string): Answer<void>;
    /** Copies a skill; as `{id}-copy` unless an id is given. */
    duplicate(id: string, newId?: string): Answer<SkillInfo>;
  };
  provider: { getAvailable(): Answer<ProviderInfo[]> };
}

/** The functions of `window.codecafe`, over the channels that `bindIpc` registers in the main process. */
export function codecafeApi(ipcRenderer: IpcRendererLike): CodecafeApi {
  const on =
    (channel: string) =>
    (...args: unknown[]) =>
      ipcRenderer.invoke(channel, ...args);
  let listeners = 0;
  return {
    workflow: {
      list: on("workflow:list"),
      get: on("workflow:get"),
      create: on("workflow:create"),
      update: on("workflow:update"),
      delete: on("workflow:delete"),
      run: on("workflow:run"),
    },
    run: {
      list: on("run:list"),
      getStatus: on("run:status"),
      getDetail: on("run:getDetail"),
      pause: on("run:pause"),
      resume: on("run:resume"),
      cancel: on("run:cancel"),
      getLogs: on("run:logs"),
      onEvent(callback) {
        // The page gets the event alone: Electron's own would give it the sender.
        const listener = (_: unknown, event: RunEvent) => callback(event);
        ipcRenderer.on("run:event", listener);
        listeners += 1;
        if (listeners === 1) void ipcRenderer.invoke("run:subscribe");
        let isListening = true;
        return () => {
          if (!isListening) return;
          isListening = false;
          ipcRenderer.removeListener("run:event", listener);
          listeners -= 1;
          if (listeners === 0) void ipcRenderer.invoke("run:unsubscribe");
        };
      },
    },
    config: {
      assignments: { get: on("config:assignments:get"), set: on("config:assignments:set") },
      profiles: { list: on("config:profiles:list"), set: on("config:profiles:set") },
      roles: { list: on("config:roles:list") },
    },
    role: { list: on("role:list"), get: on("role:get"), reload: on("role:reload") },
    skill: {
      list: on("skill:list"),
      get: on("skill:get"),
      create: on("skill:create"),
      update: on("skill:update"),
      delete: on("skill:delete"),
      duplicate: on("skill:duplicate"),
    },
    provider: { getAvailable: on("provider:getAvailable") },
  };
}

/** Makes `window.codecafe` in the page: for a preload script. */
export function exposeIn(contextBridge: ContextBridgeLike, ipcRenderer: IpcRendererLike): void {
  contextBridge.exposeInMainWorld("codecafe", codecafeApi(ipcRenderer));
}
