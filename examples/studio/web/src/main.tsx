import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { greet, queries } from "./service/client";
import { connect } from "./service/heads";
import { router } from "./shell/router";
import "./shell/settings";
import "../../../../crates/workflow-service/src/report/tokens.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/shell.css";
import "./styles/table.css";
import "./styles/run.css";
import "./styles/log.css";
import "./styles/pages.css";
import "./styles/editor.css";
import "./styles/graph.css";
import "./styles/compare.css";

const root = document.getElementById("root");
if (root === null) throw new Error("the page has no root");

connect();
void greet().catch(() => undefined);

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
