import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useEffect } from "react";

import { useTitle } from "../../parts/title";
import { notice } from "../../shell/notices";
import { changeSettings, useSettings, type Settings as Chosen } from "../../shell/settings";
import { KeysList } from "../../shell/KeysHelp";
import { Doctor } from "./Doctor";
import { Notify } from "./Notify";
import { Stores } from "./Stores";
import { Workers } from "./Workers";

const TABS = [
  { id: "appearance", name: "Appearance", page: Appearance },
  { id: "keys", name: "Keys", page: Keys },
  { id: "doctor", name: "Doctor", page: Doctor },
  { id: "stores", name: "Stores", page: Stores },
  { id: "workers", name: "Workers", page: Workers },
];

export function Settings() {
  const { tab = "" } = useParams({ strict: false }) as { tab?: string };
  const navigate = useNavigate();
  const current = TABS.find(({ id }) => id === tab);
  useTitle(current?.name ?? "Settings");
  const isMissing = current === undefined;
  useEffect(() => {
    if (!isMissing) return;
    if (tab !== "") notice(`There are no settings ${tab}. These are those of the appearance.`);
    void navigate({ to: "/settings/$tab", params: { tab: "appearance" }, replace: true });
  }, [isMissing, tab, navigate]);
  if (current === undefined) return null;
  const Part = current.page;
  return (
    <div className="page settings">
      <header className="page-head">
        <h1>Settings</h1>
      </header>
      <nav className="tabs" aria-label="Settings">
        {TABS.map(({ id, name }) => (
          <Link key={id} to="/settings/$tab" params={{ tab: id }} activeProps={{ "aria-current": "page" }}>
            {name}
          </Link>
        ))}
      </nav>
      <section className="settings-body" aria-label={current.name}>
        <Part />
      </section>
    </div>
  );
}

interface ChoiceProps<K extends keyof Chosen> {
  name: K;
  title: string;
  choices: [value: Chosen[K], name: string, about?: string][];
}

function Choice<K extends "theme" | "density" | "zone">({ name, title, choices }: ChoiceProps<K>) {
  const settings = useSettings();
  return (
    <fieldset className="choices">
      <legend>{title}</legend>
      {choices.map(([value, text, about]) => (
        <label key={value} className="choice">
          <input
            type="radio"
            name={name}
            checked={settings[name] === value}
            onChange={() => changeSettings({ [name]: value })}
          />
          <span>
            {text} {about === undefined ? null : <span className="muted">{about}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function Appearance() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <Choice
        name="theme"
        title="Theme"
        choices={[
          ["system", "As the system"],
          ["light", "Light"],
          ["dark", "Dark"],
        ]}
      />
      <Choice
        name="density"
        title="Rows"
        choices={[
          ["normal", "Normal"],
          ["compact", "Compact"],
        ]}
      />
      <Choice
        name="zone"
        title="Times"
        choices={[
          ["local", "Local", zone],
          ["utc", "UTC"],
        ]}
      />
      <p className="muted small">These are stored in this browser.</p>
    </>
  );
}

function Keys() {
  const { singleKeys } = useSettings();
  return (
    <>
      <label className="choice">
        <input
          type="checkbox"
          checked={singleKeys}
          onChange={(event) => changeSettings({ singleKeys: event.target.checked })}
        />
        <span>
          Single keys{" "}
          <span className="muted">without Ctrl: turn them off where they are in the way of speech input</span>
        </span>
      </label>
      <Notify />
      <h2>Keys</h2>
      <KeysList />
    </>
  );
}
