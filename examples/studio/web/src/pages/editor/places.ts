import type { Range } from "workflow-client";

import type { TextPlace } from "./yaml/view";

export type Ranges = Record<string, Range>;

/** The field at a place of the text: the value there, or that of the key there, or else what is around it. */
export function fieldAt(ranges: Ranges, { line, column }: TextPlace): string | undefined {
  const paths = Object.keys(ranges);
  const isWhole = (path: string) => !paths.some((each) => each.startsWith(`${path}.`) || each.startsWith(`${path}[`));
  const around: Found[] = [];
  const behind: Found[] = [];
  for (const [path, range] of Object.entries(ranges)) {
    if (path === "" || line < range.line || line > range.endLine) continue;
    if (line === range.line && column < range.column) behind.push({ path, size: range.column });
    else if (line < range.endLine || column <= range.endColumn) {
      around.push({ path, size: (range.endLine - range.line) * 10_000 + range.endColumn - range.column });
    }
  }
  return smallest(around.filter(({ path }) => isWhole(path))) ?? smallest(behind) ?? smallest(around);
}

interface Found {
  path: string;
  size: number;
}

const smallest = (found: Found[]): string | undefined =>
  found.reduce<Found | undefined>(
    (best, each) => (best === undefined || each.size < best.size ? each : best),
    undefined,
  )?.path;

/** The lines of a field, or of what it would be a part of. */
export function linesOf(ranges: Ranges, path: string): { from: number; to: number } | undefined {
  for (let each = path; each !== ""; each = each.replace(/(^|\.)[^.[]*$|\[\d+\]$/, "")) {
    const range = ranges[each];
    if (range === undefined) continue;
    // A block ends at the start of the line behind it.
    const to = range.endColumn === 1 && range.endLine > range.line ? range.endLine - 1 : range.endLine;
    return { from: range.line, to };
  }
  return undefined;
}

/** The part of the form that a field is in: `workflow`, or a stage. */
export const sectionOf = (path: string): string => /^[^.[]*/.exec(path)?.[0] ?? "";
