const KEY = "workflow-studio-token";

/**
 * The token of the server: from the address that `workflow studio` opens (`#t=`), else the one that was stored before.
 * It is stored for this origin alone, is sent as a header, and leaves the address at once.
 */
function takeToken(): string {
  const given = new URLSearchParams(location.hash.slice(1)).get("t");
  if (given !== null) {
    store(given);
    history.replaceState(history.state, "", location.pathname + location.search);
    return given;
  }
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function store(token: string): void {
  try {
    localStorage.setItem(KEY, token);
  } catch {
    // A browser that stores nothing has the token until the page is closed.
  }
}

/** The token of this page. */
export const token = takeToken();

/** `workflow studio` makes a token each time it starts: a page that is open loads again when another one brings it. */
addEventListener("storage", (event) => {
  if (event.key === KEY && event.newValue !== null && event.newValue !== token) location.reload();
});
