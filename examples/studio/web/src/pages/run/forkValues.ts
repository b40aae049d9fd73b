/** A value as it is edited: a text as it is, all others as JSON. */
export const shownText = (value: unknown): string =>
  typeof value === "string" ? value : JSON.stringify(value, null, 2);

/** The values that were changed, and the names of those that cannot be read. A text stays a text. */
export function changedValues(
  stored: Record<string, unknown>,
  texts: Record<string, string>,
): { values: Record<string, unknown>; wrong: string[] } {
  const values: Record<string, unknown> = {};
  const wrong: string[] = [];
  for (const [name, value] of Object.entries(stored)) {
    const text = texts[name];
    if (text === undefined || text === shownText(value)) continue;
    if (typeof value === "string") values[name] = text;
    else {
      try {
        values[name] = JSON.parse(text) as unknown;
      } catch {
        wrong.push(name);
      }
    }
  }
  return { values, wrong };
}
