const KEY = "workflow-studio-token";

/**
 * The token of the server: from the address that `workflow studio` opens (`#t=`), else the one that was stored before.
 * It is stored for this origin alone, is sent as a header, and leaves the address at once.
 */
export function takeToken(): string {
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
