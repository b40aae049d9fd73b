import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, expect } from "vitest";
import type { BrowserContextOptions } from "playwright-core";

import { closeBrowser, openTab, type Tab } from "./browser.ts";
import { FileStore } from "./filestore.ts";
import { Studio } from "./studio.ts";

const studios: Studio[] = [];
const tabs: Tab[] = [];
const stores: FileStore[] = [];

/** Starts a studio, which is ended after the test. */
export async function studio(files: Record<string, string> = {}): Promise<Studio> {
  const started = await Studio.start(files);
  studios.push(started);
  return started;
}

/** Starts a studio whose runs are files, so that a test can write their logs. */
export async function studioOfFiles(files: Record<string, string>): Promise<{ server: Studio; store: FileStore }> {
  const store = new FileStore(mkdtempSync(join(tmpdir(), "studio-store-")));
  stores.push(store);
  const server = await Studio.start(files, ["--store", `file:${store.folder}`, "--trust-store"]);
  studios.push(server);
  return { server, store };
}

/** Opens a page of it; after the test nothing must have gone wrong in it. */
export async function tab(of: Studio, options?: BrowserContextOptions): Promise<Tab> {
  const opened = await openTab(of, options);
  tabs.push(opened);
  return opened;
}

afterEach(async () => {
  const problems = tabs.flatMap((opened) => opened.problems);
  await Promise.all(tabs.splice(0).map((opened) => opened.close()));
  await Promise.all(studios.splice(0).map((started) => started.close()));
  for (const store of stores.splice(0)) rmSync(store.folder, { recursive: true, force: true, maxRetries: 5 });
  expect(problems).toEqual([]);
});

afterAll(closeBrowser);
