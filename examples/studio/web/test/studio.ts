import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { Client, HttpTransport, type RunStatus } from "workflow-client";

/** The terminal program: the one that was built last, unless another one is named. */
const PROGRAM = process.env["WORKFLOW_PROGRAM"] ?? join(import.meta.dirname, "../../../../target/debug/workflow");

/** A home with workflows, and `workflow studio` over it. */
export class Studio {
  readonly folder = mkdtempSync(join(tmpdir(), "studio-"));
  readonly home = join(this.folder, "home");
  origin = "";
  token = "";
  #process: ChildProcess | undefined;
  #client: Client | undefined;

  constructor(files: Record<string, string> = {}) {
    mkdirSync(join(this.home, "workflows"), { recursive: true });
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  /** Starts a studio over a home with these files. */
  static async start(files: Record<string, string> = {}, more: string[] = []): Promise<Studio> {
    const studio = new Studio(files);
    await studio.open(more);
    return studio;
  }

  /** Writes a file of the home. */
  write(name: string, text: string): void {
    const path = join(this.home, name.includes("/") ? name : `workflows/${name}.workflow.yml`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Starts the server: at the same address as before, if there was one. */
  async open(more: string[] = []): Promise<void> {
    const port = this.origin === "" ? "0" : new URL(this.origin).port;
    const process = spawn(PROGRAM, ["studio", "--home", this.home, "--no-open", "--port", port, ...more], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: this.folder,
      env: { PATH: globalThis.process.env["PATH"], HOME: this.folder, TZ: "UTC", USER: "ann" },
    });
    this.#process = process;
    const address = await new Promise<string>((resolve, reject) => {
      process.once("exit", (code) => reject(new Error(`workflow studio ended with ${code}`)));
      createInterface({ input: process.stdout as NonNullable<typeof process.stdout> }).once("line", resolve);
    });
    const url = new URL(address);
    this.origin = url.origin;
    this.token = url.hash.replace("#t=", "");
    this.#client = new Client(new HttpTransport({ url: this.origin, token: this.token }));
  }

  /** The service, as programs use it. */
  get client(): Client {
    if (this.#client === undefined) throw new Error("the studio is not open");
    return this.#client;
  }

  /** The address that is opened first: with the token. */
  get address(): string {
    return `${this.origin}/#t=${this.token}`;
  }

  /** Ends the server: at once, without telling it, or so that it stops by itself. */
  async stop(signal: "SIGKILL" | "SIGTERM" = "SIGTERM"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((resolve) => process.once("exit", resolve));
    process.kill(signal);
    await ended;
  }

  /** Ends the server, which stops the processes of its calls, and removes its folder. */
  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Starts a run. */
  async run(id: string, runId: string, vars: Record<string, unknown> = {}): Promise<void> {
    await this.client.start({ id, runId, vars });
  }

  /** Starts so many runs, `h1` and on, and waits until all have ended. */
  async runMany(id: string, count: number): Promise<void> {
    let started = 0;
    const callers = Array.from({ length: 16 }, async () => {
      while (started < count) {
        started += 1;
        await this.run(id, `h${started}`);
      }
    });
    await Promise.all(callers);
    const ended = async () => {
      const statuses: RunStatus[] = ["completed"];
      const { total } = await this.client.call("workflow:runs:list", {
        workflow: id,
        statuses,
        totals: true,
        limit: 1,
      });
      return total === count;
    };
    await eventually(`${count} runs have ended`, ended, 120_000);
  }

  /** Waits until a run has a status, or what else is asked for. */
  async until(runId: string, status: string, most?: number): Promise<void> {
    const holds = async () => {
      const { run } = await this.client.call("workflow:runs:get", { runId });
      return run.status === status;
    };
    await eventually(`${runId} is ${status}`, holds, most);
  }

  /** The text of a file in the folder that the programs of workflows run in. */
  read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  /** Makes a repository of that folder, with a file. */
  repository(): void {
    const git = (...words: string[]) =>
      execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@localhost", ...words], { cwd: this.folder });
    writeFileSync(join(this.folder, "read.txt"), "old\n");
    git("init", "--quiet");
    git("add", "read.txt");
    git("commit", "--quiet", "--message", "first");
  }

  has(name: string): boolean {
    return existsSync(join(this.folder, name));
  }

  /** Makes a file there, for which a program waits. */
  touch(name: string): void {
    writeFileSync(join(this.folder, name), "");
  }
}

/** Waits until something holds, at most for 45 s unless another time is given, in milliseconds. */
export async function eventually(what: string, holds: () => Promise<boolean> | boolean, most = 45_000): Promise<void> {
  const end = Date.now() + most;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${most / 1_000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
