import { expect, test } from "vitest";

import { lines } from "./sgr";

const plain = (text: string) => lines(text).map((line) => line.map((span) => span.text).join(""));

test("colours and weights become classes", () => {
  expect(lines("\x1b[1;31mred\x1b[0m plain \x1b[92mbright")).toEqual([
    [
      { text: "red", classes: "ansi-1 bold" },
      { text: " plain ", classes: "" },
      { text: "bright", classes: "ansi-10" },
    ],
  ]);
  expect(lines("\x1b[32ma\nb\x1b[39mc")).toEqual([
    [{ text: "a", classes: "ansi-2" }],
    [
      { text: "b", classes: "ansi-2" },
      { text: "c", classes: "" },
    ],
  ]);
});

test("other colours are the nearest of 16, and backgrounds are dropped", () => {
  const colour = (sequence: string) => lines(`\x1b[${sequence}mx`)[0]?.[0]?.classes;
  expect(colour("38;5;9")).toBe("ansi-9");
  expect(colour("38;5;196")).toBe("ansi-9");
  expect(colour("38;2;250;10;10")).toBe("ansi-9");
  expect(colour("38;5;244")).toBe("ansi-8");
  expect(colour("48;5;196")).toBe("");
  expect(colour("48;2;1;31;1;32")).toBe("ansi-2");
  expect(colour("41")).toBe("");
  expect(colour("?1;2")).toBe("");
});

test.each([
  ["a\x1b[2Jb", ["ab"]],
  ["a\x1b[10;20Hb\x1b[?25l", ["ab"]],
  ["a\x1b]0;title\x07b", ["ab"]],
  ["a\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\b", ["alinkb"]],
  ["a\x1b]52;c;aGk=", ["a"]],
  ["a\x1bPq#0;2;0\x1b\\b", ["ab"]],
  ["a\x9b31mb\x9d0;t\x9cc", ["abc"]],
  ["a\x1b(Bb\x1bcc\x1b", ["abc"]],
  ["50 %\r100 %\r\ndone\n", ["50 %", "100 %", "done"]],
  ["a\u202eb\u200bc\ufeff", ["a\\u{202E}b\\u{200B}c\\u{FEFF}"]],
  ["\u2066x\u2069 \u0007\u0000", ["\\u{2066}x\\u{2069} \\u{7}\\u{0}"]],
  ["<img src=x onerror=alert(1)>", ["<img src=x onerror=alert(1)>"]],
  ["tab\there é 日本 👩", ["tab\there é 日本 👩"]],
  ["", [""]],
])("%j is shown as %j", (text, shown) => expect(plain(text)).toEqual(shown));
