/** An object that is not a list. */
export type Members = Record<string, unknown>;

export const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Members as block style YAML, also in lists; scalars and lists of them as JSON, which is YAML too. */
export function yaml(members: Members, indent = ""): string {
  const lines = Object.entries(members).map(([key, value]) => {
    if (value === undefined) return "";
    const name = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(key) && !/^(null|true|false|yes|no|on|off|y|n)$/i.test(key) ? key : JSON.stringify(key);
    if (isMembers(value) && Object.keys(value).length > 0) return `${indent}${name}:\n${yaml(value, `${indent}  `)}`;
    if (Array.isArray(value) && value.length > 0 && value.every((item) => isMembers(item) && Object.keys(item).length > 0)) {
      const items = value.map((item: Members) => `${indent}  - ${yaml(item, `${indent}    `).trimStart()}`);
      return `${indent}${name}:\n${items.join("")}`;
    }
    return `${indent}${name}: ${JSON.stringify(value)}\n`;
  });
  return lines.join("");
}

/** Whether two values of JSON are the same; the order of members does not matter. */
export function isSame(left: unknown, right: unknown): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isSame(item, right[index]));
  }
  if (!isMembers(left) || !isMembers(right)) return left === right;
  const keys = (members: Members) => Object.keys(members).filter((key) => members[key] !== undefined);
  return keys(left).length === keys(right).length && keys(left).every((key) => isSame(left[key], right[key]));
}
