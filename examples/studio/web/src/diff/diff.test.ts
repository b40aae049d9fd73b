import { expect, test } from "vitest";

import { isNamed, pairs, parseDiff, statFiles } from "./diff";

const DIFF = `diff --git a/src/a b.txt b/src/a b.txt
index 1..2 100644
--- a/src/a b.txt
+++ b/src/a b.txt
@@ -1,3 +1,3 @@ fn main
 one
-two
--- three
+2
+3
+4
 five
diff --git a/new.bin b/new.bin
new file mode 100644
index 0..3
Binary files /dev/null and b/new.bin differ
diff --git a/gone.txt b/gone.txt
deleted file mode 100644
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
\\ No newline at end of file
`;

test("a diff is read by files and lines with their numbers", () => {
  const files = parseDiff(DIFF);
  expect(files.map((file) => file.path)).toEqual(["src/a b.txt", "new.bin", "gone.txt"]);
  expect(files[1]?.notes).toEqual(["new file mode 100644", "Binary files /dev/null and b/new.bin differ"]);
  // A removed line that begins with dashes is no head of a file.
  expect(files[0]?.lines.map(({ kind, text, before, after }) => [kind, text, before, after])).toEqual([
    ["hunk", "@@ -1,3 +1,3 @@ fn main", undefined, undefined],
    ["same", "one", 1, 1],
    ["removed", "two", 2, undefined],
    ["removed", "-- three", 3, undefined],
    ["added", "2", undefined, 2],
    ["added", "3", undefined, 3],
    ["added", "4", undefined, 4],
    ["same", "five", 4, 5],
  ]);
  expect(files[2]?.lines.map((line) => line.text)).toEqual(["@@ -1 +0,0 @@", "bye"]);
  expect(parseDiff("")).toEqual([]);
});

test("what was added stands beside what was removed", () => {
  const rows = pairs(parseDiff(DIFF)[0]?.lines ?? []);
  expect(rows.map(([before, after]) => [before?.text, after?.text])).toEqual([
    ["@@ -1,3 +1,3 @@ fn main", "@@ -1,3 +1,3 @@ fn main"],
    ["one", "one"],
    ["two", "2"],
    ["-- three", "3"],
    [undefined, "4"],
    ["five", "five"],
  ]);
});

test("the files of a summary are found, also those of which the path is cut", () => {
  const stat = " src/a b.txt | 5 ++---\n .../deep/file.rs | Bin 0 -> 3 bytes\n 2 files changed";
  expect(statFiles(stat)).toEqual(["src/a b.txt", ".../deep/file.rs"]);
  expect(isNamed("very/long/deep/file.rs", ".../deep/file.rs")).toBe(true);
  expect(isNamed("a", "b")).toBe(false);
});
