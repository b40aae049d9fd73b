/** What is laid out: boxes of one size, and lines between them, without cycles. */
export interface Shape {
  ids: string[];
  lines: { from: string; to: string }[];
  /** Whether the columns are rows, and lines lead down: for places that are high and narrow. */
  isDown?: boolean;
}

/** Where a box is: its upper left corner, and its place in the order of the columns. */
export interface Place {
  x: number;
  y: number;
  column: number;
  /** Its position in the column, from the top. */
  index: number;
}

export const BOX = { width: 184, height: 52 };
const GAP = { x: 72, y: 20 };
const GAP_DOWN = { x: 20, y: 40 };
/** How often the order of the columns is improved. */
const SWEEPS = 4;

/**
 * Puts each box in the column behind the last of the boxes that lead to it, and orders the columns so that lines are short
 * and seldom cross. It takes time in proportion to the boxes and lines, so it needs no thread of its own.
 */
export function layout({ ids, lines, isDown = false }: Shape): Map<string, Place> {
  const known = new Set(ids);
  const [before, behind] = [new Map<string, string[]>(), new Map<string, string[]>()];
  for (const { from, to } of lines) {
    if (from === to || !known.has(from) || !known.has(to)) continue;
    before.set(to, [...(before.get(to) ?? []), from]);
    behind.set(from, [...(behind.get(from) ?? []), to]);
  }
  const columns = columnsOf(ids, before, behind);
  const index = new Map<string, number>();
  const number = (column: string[]) => column.forEach((id, n) => index.set(id, n));
  columns.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForward = sweep % 2 === 0;
    for (const column of isForward ? columns : [...columns].reverse()) {
      const neighbours = isForward ? before : behind;
      const wanted = new Map(column.map((id) => [id, mean(neighbours.get(id), index) ?? index.get(id) ?? 0]));
      column.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || (index.get(a) ?? 0) - (index.get(b) ?? 0));
      number(column);
    }
  }
  return placed(columns, before, isDown);
}

/** The boxes by columns: a box is behind all that lead to it. What is in a cycle is where the order of the boxes puts it. */
function columnsOf(ids: string[], before: Map<string, string[]>, behind: Map<string, string[]>): string[][] {
  const open = new Map(ids.map((id) => [id, before.get(id)?.length ?? 0]));
  const column = new Map<string, number>();
  const ready = ids.filter((id) => open.get(id) === 0);
  const rest = new Set(ids);
  for (let n = 0; rest.size > 0; n += 1) {
    const id = ready[n] ?? (rest.values().next().value as string);
    if (!rest.delete(id)) continue;
    const own = column.get(id) ?? 0;
    column.set(id, own);
    for (const next of behind.get(id) ?? []) {
      if (rest.has(next)) column.set(next, Math.max(column.get(next) ?? 0, own + 1));
      const left = (open.get(next) ?? 0) - 1;
      open.set(next, left);
      if (left === 0) ready.push(next);
    }
    // A cycle: the first of the rest goes on.
    if (ready.length <= n + 1 && rest.size > 0) ready.push(rest.values().next().value as string);
  }
  const columns: string[][] = [];
  for (const id of ids) (columns[column.get(id) ?? 0] ??= []).push(id);
  return columns;
}

/** Gives each box the height of those that lead to it, as far as its neighbours leave room. */
function placed(columns: string[][], before: Map<string, string[]>, isDown: boolean): Map<string, Place> {
  const places = new Map<string, Place>();
  const step = isDown ? BOX.width + GAP_DOWN.x : BOX.height + GAP.y;
  const forward = isDown ? BOX.height + GAP_DOWN.y : BOX.width + GAP.x;
  columns.forEach((ids, column) => {
    let free = -Infinity;
    const wanted: number[] = [];
    const ys = ids.map((id, n) => {
      const above = (before.get(id) ?? []).map((from) => places.get(from)?.y ?? 0);
      const want = above.length === 0 ? n * step : above.reduce((sum, y) => sum + y, 0) / above.length;
      wanted.push(want);
      const y = Math.max(want, free);
      free = y + step;
      return y;
    });
    // Boxes were only pushed down: the column comes back to the middle of what was wanted.
    const shift = ys.reduce((sum, y, n) => sum + y - (wanted[n] ?? 0), 0) / ys.length;
    ids.forEach((id, index) => {
      places.set(id, { x: column * forward, y: (ys[index] ?? 0) - shift, column, index });
    });
  });
  const top = Math.min(...[...places.values()].map(({ y }) => y));
  for (const place of places.values()) {
    place.y -= top;
    if (isDown) [place.x, place.y] = [place.y, place.x];
  }
  return places;
}

function mean(ids: string[] | undefined, index: Map<string, number>): number | undefined {
  if (ids === undefined || ids.length === 0) return undefined;
  return ids.reduce((sum, id) => sum + (index.get(id) ?? 0), 0) / ids.length;
}
