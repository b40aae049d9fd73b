import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  useLocation,
  useNavigate,
  type RouteComponent,
} from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { parseQuery, writeQuery } from "../address";
import { Inbox } from "../pages/inbox/Inbox";
import { Workflows } from "../pages/workflows/Workflows";
import { nearestPage } from "./nearest";
import { notice } from "./notices";
import { Home, Shell } from "./Shell";

type Query = Record<string, string | undefined>;

const root = createRootRoute({
  component: Shell,
  validateSearch: (query: Record<string, unknown>): Query => query as Query,
});

const page = <P extends string>(path: P, component: RouteComponent) =>
  createRoute({ getParentRoute: () => root, path, component });

const routes = root.addChildren([
  page("/", Home),
  page("/inbox", Inbox),
  page("/workflows", Workflows),
  page(
    "/workflows/$id/run",
    lazyRouteComponent(() => import("../pages/dialog/WorkflowRunDialog"), "WorkflowRunDialog"),
  ),
  page(
    "/workflows/$id",
    lazyRouteComponent(() => import("../pages/editor/Editor"), "Editor"),
  ),
  page("$", NotFound),
  page(
    "/runs",
    lazyRouteComponent(() => import("../pages/runs/RunHistory"), "RunHistory"),
  ),
  page(
    "/settings",
    lazyRouteComponent(() => import("../pages/settings/Settings"), "Settings"),
  ),
  page(
    "/settings/$tab",
    lazyRouteComponent(() => import("../pages/settings/Settings"), "Settings"),
  ),
  page(
    "/runs/compare",
    lazyRouteComponent(() => import("../pages/runs/CompareRuns"), "CompareRuns"),
  ),
  page("/runs/$run", RunAddress),
  page(
    "/runs/$run/timeline",
    lazyRouteComponent(() => import("../pages/run/RunMonitor"), "RunMonitor"),
  ),
  page(
    "/runs/$run/graph",
    lazyRouteComponent(() => import("../pages/run/RunMonitor"), "RunMonitor"),
  ),
]);

export const router = createRouter({
  routeTree: routes,
  // Addresses are read by people: plain texts, not JSON.
  parseSearch: parseQuery,
  stringifySearch: writeQuery,
  defaultPreload: false,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

/** `/runs/:run` is its timeline. */
function RunAddress() {
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  useEffect(() => {
    const run = decodeURIComponent(pathname.split("/")[2] ?? "");
    void navigate({ to: "/runs/$run/timeline", params: { run }, search, replace: true });
  }, [navigate, pathname, search]);
  return null;
}

/** An address without a page leads to the nearest one, which says so. */
function NotFound() {
  const navigate = useNavigate();
  const current = useLocation().pathname;
  // The first one: it changes before the component is gone.
  const [pathname] = useState(current);
  useEffect(() => {
    const { to, name } = nearestPage(pathname);
    notice(`There is no page ${pathname}. This is ${name}.`);
    void navigate({ to, replace: true });
  }, [navigate, pathname]);
  return null;
}
