/** A place of a run, as the engine names it: `2`, `2/test`, `2/test[1]`, `2/test[1]/review[3]`, `2/test[1]/fix[0]/check`. */
export interface Place {
  iteration: number;
  stage?: string;
  lane?: number;
  /** The loop in whose body the node is, and its iteration, counted from 0. */
  within?: { node: string; number: number };
  node?: string;
  /** The items of `foreach` nodes, the outermost first. */
  items: number[];
}

const PLACE =
  /^(\d+)(?:\/([A-Za-z0-9_-]+)(?:\[(\d+)\](?:\/(?:([A-Za-z0-9_-]+)\[(\d+)\]\/)?([A-Za-z0-9_-]+)((?:\[\d+\])*))?)?)?$/;

export function parsePlace(text: string): Place | undefined {
  const found = PLACE.exec(text);
  if (found === null) return undefined;
  const [, iteration, stage, lane, loop, number, node, items] = found;
  const place: Place = { iteration: Number(iteration), items: [] };
  if (stage !== undefined) place.stage = stage;
  if (lane !== undefined) place.lane = Number(lane);
  if (loop !== undefined) place.within = { node: loop, number: Number(number) };
  if (node !== undefined) place.node = node;
  if (items) place.items = [...items.matchAll(/\d+/g)].map((number) => Number(number[0]));
  return place;
}

/** The place without its last part; undefined for an iteration. */
export function parentPlace(text: string): string | undefined {
  if (/\]$/.test(text)) return text.slice(0, text.lastIndexOf("["));
  const slash = text.lastIndexOf("/");
  return slash < 0 ? undefined : text.slice(0, slash);
}

/** Whether a place is another one or a part of it. */
export function isWithin(place: string, outer: string): boolean {
  if (!place.startsWith(outer)) return false;
  const next = place[outer.length];
  return next === undefined || next === "/" || next === "[";
}

/** What of a plan decides how places are written. */
export interface Levels {
  loop: unknown;
  stages: { id: string; lanes: unknown[] }[];
}

/** A place for people: `iteration 2 › test › lane 2 › review[3]`, with iteration and lane where there are several. */
export function placeWords(text: string, levels: Levels | undefined): string {
  const place = parsePlace(text);
  if (place === undefined) return text;
  const parts: string[] = [];
  if ((levels?.loop ?? null) !== null || place.stage === undefined) parts.push(`iteration ${place.iteration}`);
  if (place.stage !== undefined) parts.push(place.stage);
  const lanes = levels?.stages.find((stage) => stage.id === place.stage)?.lanes.length ?? 1;
  if (lanes > 1 && place.lane !== undefined) parts.push(`lane ${place.lane + 1}`);
  if (place.within !== undefined) parts.push(`${place.within.node}[${place.within.number}]`);
  if (place.node !== undefined && (place.node !== "run" || place.items.length > 0)) {
    parts.push(place.node + place.items.map((item) => `[${item}]`).join(""));
  }
  return parts.join(" › ");
}

/** The query of an address as plain texts; a parameter that is given twice has its last value. */
export function parseQuery(query: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(query));
}

/** The query of an address: what is absent or empty is left out, and `/ [ ] : ,` stay readable. */
export function writeQuery(query: Record<string, unknown>): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === null || value === ""
      ? []
      : [`${encodeURIComponent(name)}=${readable(encodeURIComponent(String(value)))}`],
  );
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

const readable = (text: string): string =>
  text.replace(/%2F/g, "/").replace(/%5B/g, "[").replace(/%5D/g, "]").replace(/%3A/g, ":").replace(/%2C/g, ",");

/** `120-140`, `120`, `120.3`: the first and the last entry. */
export function parseLines(text: string | undefined): { from: number; to: number; line?: number } | undefined {
  const found = text === undefined ? null : /^(\d+)(?:\.(\d+))?(?:-(\d+)(?:\.\d+)?)?$/.exec(text);
  if (found === null) return undefined;
  const from = Number(found[1]);
  const to = found[3] === undefined ? from : Number(found[3]);
  const lines: { from: number; to: number; line?: number } = { from: Math.min(from, to), to: Math.max(from, to) };
  if (found[2] !== undefined) lines.line = Number(found[2]);
  return lines;
}
