/** A line of a diff, with its numbers before and after. */
export interface DiffLine {
  kind: "same" | "added" | "removed" | "hunk";
  text: string;
  before: number | undefined;
  after: number | undefined;
}

/** What a diff says of a file. */
export interface FileDiff {
  path: string;
  /** What is said of it before its lines: that it is new, or that it is not text. */
  notes: string[];
  lines: DiffLine[];
}

/** The files of a diff in git's format. */
export function parseDiff(text: string): FileDiff[] {
  const files: FileDiff[] = [];
  let file: FileDiff | undefined;
  let [before, after] = [0, 0];
  let isHead = true;
  for (const line of text.split("\n")) {
    if (line.startsWith("diff --git ")) {
      file = { path: headPath(line), notes: [], lines: [] };
      files.push(file);
      isHead = true;
    } else if (file === undefined) {
      continue;
    } else if (line.startsWith("@@ ")) {
      isHead = false;
      const found = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(line);
      [before, after] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
      file.lines.push({ kind: "hunk", text: line, before: undefined, after: undefined });
    } else if (isHead) {
      const named = /^(?:---|\+\+\+) "?[ab]\/(.*?)"?\t?$/.exec(line);
      if (named !== null) file.path = named[1] ?? file.path;
      else if (!/^(?:index |--- |\+\+\+ |$)/.test(line)) file.notes.push(line);
    } else if (line.startsWith("+")) {
      file.lines.push({ kind: "added", text: line.slice(1), before: undefined, after });
      after += 1;
    } else if (line.startsWith("-")) {
      file.lines.push({ kind: "removed", text: line.slice(1), before, after: undefined });
      before += 1;
    } else if (line.startsWith(" ")) {
      file.lines.push({ kind: "same", text: line.slice(1), before, after });
      before += 1;
      after += 1;
    }
  }
  return files;
}

/** The path in `diff --git a/x b/x`, of which both halves are the same. */
function headPath(line: string): string {
  const both = line.slice("diff --git ".length);
  return both
    .slice((both.length + 1) / 2)
    .replace(/^"?b\//, "")
    .replace(/"$/, "");
}

/** A line beside the one that took its place. */
export type Pair = [before: DiffLine | undefined, after: DiffLine | undefined];

/** The lines beside each other: what was removed stands beside what was added in its place. */
export function pairs(lines: DiffLine[]): Pair[] {
  const rows: Pair[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let n = 0; n < Math.max(removed.length, added.length); n += 1) rows.push([removed[n], added[n]]);
    [removed, added] = [[], []];
  };
  for (const line of lines) {
    if (line.kind === "removed") {
      if (added.length > 0) flush();
      removed.push(line);
    } else if (line.kind === "added") added.push(line);
    else {
      flush();
      rows.push([line, line]);
    }
  }
  flush();
  return rows;
}

/** The files that `git --stat` names: long paths begin with `...`. */
export function statFiles(stat: string): string[] {
  return stat.split("\n").flatMap((line) => {
    const found = /^ ?(.+?) +\| /.exec(line);
    return found?.[1] === undefined ? [] : [found[1]];
  });
}

/** Whether a path is the one that a line of `git --stat` names. */
export const isNamed = (path: string, named: string): boolean =>
  named.startsWith("...") ? path.endsWith(named.slice(3)) : path === named;
