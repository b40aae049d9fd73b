import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";

import { Button } from "../parts/Button";
import { Icon } from "../parts/Icon";
import { useInbox } from "../pages/inbox/query";
import { contact, useContact } from "../service/contact";
import { clock } from "../format";
import { closeToast, notice, useNotices } from "./notices";
import { useKeys } from "./keys";
import { useNotify } from "./notify";

const KeysHelp = lazy(() => import("./KeysHelp").then(({ KeysHelp }) => ({ default: KeysHelp })));
const Palette = lazy(() => import("./Palette").then(({ Palette }) => ({ default: Palette })));

export function Shell() {
  const { state, at } = useContact();
  const { notice: said } = useNotices();
  const [isHelp, setHelp] = useState(false);
  const [isPalette, setPalette] = useState(false);
  const help = useCallback(() => setHelp(true), []);
  const palette = useCallback(() => setPalette(true), []);
  useKeys(help, palette);
  useNotify();
  if (state === "unauthenticated") return <NoToken />;
  return (
    <div className={`shell${state === "offline" ? " is-offline" : ""}`}>
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <Rail />
      <main id="page" tabIndex={-1}>
        {state === "offline" ? <OfflineBanner at={at} /> : null}
        {said === undefined ? null : (
          <div className="banner">
            <span className="grow">{said}</span>
            <Button slim kind="plain" onClick={() => notice(undefined)}>
              Close
            </Button>
          </div>
        )}
        <Outlet />
      </main>
      <Said />
      <Suspense>
        {isHelp ? <KeysHelp onClose={() => setHelp(false)} /> : null}
        {isPalette ? <Palette onHelp={help} onClose={() => setPalette(false)} /> : null}
      </Suspense>
    </div>
  );
}

function OfflineBanner({ at }: { at: number }) {
  return (
    <div className="banner tone-failed" role="status">
      <span className="status tone-failed">
        <Icon name="broken" />
        Offline
      </span>
      <span className="grow">
        The server cannot be reached. This is as of <span className="number">{clock(at)}</span>.
      </span>
      <Button slim onClick={() => void contact.probe()}>
        Retry now
      </Button>
    </div>
  );
}

function Rail() {
  const { state } = useContact();
  const inbox = useInbox();
  const waiting = inbox.data?.total ?? 0;
  useEffect(() => {
    const base = document.title.replace(/^\(\d+\) /, "");
    document.title = waiting > 0 ? `(${waiting}) ${base}` : base;
  });
  const pages = [
    { to: "/inbox", name: "Inbox", icon: "inbox", count: waiting },
    { to: "/workflows", name: "Workflows", icon: "workflows", count: 0 },
    { to: "/runs", name: "Runs", icon: "runs", count: 0 },
    { to: "/settings", name: "Settings", icon: "settings", count: 0 },
  ] as const;
  const words = { connecting: "Connecting", online: "Connected", offline: "Offline", unauthenticated: "Refused" };
  return (
    <nav className="rail" aria-label="Pages">
      <ul>
        {pages.map(({ to, name, icon, count }) => (
          <li key={to}>
            <Link to={to} activeProps={{ "aria-current": "page" }} activeOptions={{ includeSearch: false }}>
              <Icon name={icon} />
              <span className="rail-name">{name}</span>
              {count > 0 ? (
                <span className="rail-count number">
                  {count}
                  <span className="hidden"> waiting</span>
                </span>
              ) : null}
            </Link>
          </li>
        ))}
      </ul>
      <p className={`rail-state${state === "online" ? "" : " tone-failed"}`} data-state={state}>
        <Icon name={state === "offline" ? "broken" : "connection"} />
        <span className="rail-name">{words[state]}</span>
      </p>
    </nav>
  );
}

function NoToken() {
  return (
    <main id="page" className="alone">
      <h1>This page has no valid token</h1>
      <p>
        <code>workflow studio</code> makes a new token each time it starts. Open the address that it printed, in a new
        tab or here: this page continues as soon as the browser has the token.
      </p>
    </main>
  );
}

function Said() {
  const { toasts, polite, assertive } = useNotices();
  return (
    <>
      <div className="toasts">
        {toasts.map((toast) => (
          <Toast key={toast.id} {...toast} />
        ))}
      </div>
      <div className="hidden" role="status" data-said="polite">
        {polite}
      </div>
      <div className="hidden" role="alert" data-said="assertive">
        {assertive}
      </div>
    </>
  );
}

function Toast({ id, text }: { id: number; text: string }) {
  useEffect(() => {
    const timer = setTimeout(() => closeToast(id), 8_000);
    return () => clearTimeout(timer);
  }, [id]);
  return (
    <div className="toast" role="status">
      {text}
      <Button slim kind="plain" icon="close" aria-label="Close" onClick={() => closeToast(id)} />
    </div>
  );
}

/** `/`: the inbox if something waits for a person, else the workflows. */
export function Home() {
  const navigate = useNavigate();
  const inbox = useInbox();
  const total = inbox.data?.total;
  const isKnown = total !== undefined || inbox.isError;
  useEffect(() => {
    if (isKnown) void navigate({ to: (total ?? 0) > 0 ? "/inbox" : "/workflows", replace: true });
  }, [isKnown, total, navigate]);
  return null;
}
