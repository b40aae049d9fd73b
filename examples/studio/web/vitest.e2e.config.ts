import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

const client = fileURLToPath(new URL("../../../clients/typescript/src/index.ts", import.meta.url));

/** The tests in a browser, against `workflow studio`: one file after the other, as they share a machine. */
export default defineConfig({
  resolve: { alias: { "workflow-client": client } },
  test: {
    include: ["test/*.e2e.ts"],
    environment: "node",
    fileParallelism: false,
    // A browser on a machine that others use can be too slow for any bound; the report names a test that was repeated.
    retry: 1,
    testTimeout: 150_000,
    hookTimeout: 60_000,
  },
});
