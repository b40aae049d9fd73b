import { useState } from "react";

import { changeSettings, useSettings } from "../../shell/settings";

/** Whether the browser tells what waits: it asks once whether the page may. */
export function Notify() {
  const { notify } = useSettings();
  const isKnown = "Notification" in window;
  const [permission, setPermission] = useState(isKnown ? Notification.permission : "denied");
  const isOn = notify && permission === "granted";
  const change = async (isWanted: boolean) => {
    if (!isWanted) return changeSettings({ notify: false });
    const answer = await Notification.requestPermission();
    setPermission(answer);
    changeSettings({ notify: answer === "granted" });
  };
  return (
    <div>
      <label className="choice">
        <input
          type="checkbox"
          checked={isOn}
          aria-describedby="notify-about"
          disabled={permission === "denied"}
          onChange={(event) => void change(event.target.checked)}
        />
        <span>
          Notifications <span className="muted">of what begins to wait for you while the studio is hidden</span>
        </span>
      </label>
      <p id="notify-about" className="muted small">
        {permission === "denied"
          ? isKnown
            ? "The browser does not allow them for this page: its settings do."
            : "This browser has none."
          : "One page of the studio has to stay open."}
      </p>
    </div>
  );
}
