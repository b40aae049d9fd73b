import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const client = fileURLToPath(new URL("../../../clients/typescript/src/index.ts", import.meta.url));

// The server that `npm run dev` passes the calls of the page on to.
const server = process.env["STUDIO_SERVER"] ?? "http://127.0.0.1:7412";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "workflow-client": client } },
  build: {
    target: "es2022",
    // Names without hashes: the built page is committed, and a change of it is a change of the same files.
    rollupOptions: {
      output: {
        entryFileNames: "studio.js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    // The licences of the packages that are part of the built page.
    license: { fileName: "licenses.txt" },
  },
  server: {
    host: "127.0.0.1",
    // The client and the colours that reports have as well are outside of this folder.
    fs: { allow: [fileURLToPath(new URL("../../../", import.meta.url))] },
    proxy: {
      "/api": {
        target: server,
        changeOrigin: true,
        configure: (proxy) => proxy.on("proxyReq", (request) => request.setHeader("origin", server)),
      },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
