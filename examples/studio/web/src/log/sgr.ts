import { visible } from "./visible";

/** A part of a line: its text, and the classes of its colour and weight. */
export interface Span {
  text: string;
  classes: string;
}

interface Style {
  colour: number | undefined;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  strike: boolean;
}

const PLAIN: Style = {
  colour: undefined,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  strike: false,
};

// Control sequences, strings for the terminal (to their end, or that of the text), and other escapes.
const ESCAPE =
  /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^]*?(?:\x07|\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]?|\x9b/g;

/**
 * The lines of a text. Colours and weights become classes, which follow a colour over the end of a line; all other
 * escape sequences are removed, and other characters that cannot be seen are shown as their numbers.
 */
export function lines(text: string): Span[][] {
  const found: Span[][] = [[]];
  let style = PLAIN;
  const push = (piece: string) => {
    piece.split(/\r\n|\n|\r/).forEach((part, index) => {
      if (index > 0) found.push([]);
      if (part !== "") found.at(-1)?.push({ text: visible(part), classes: classes(style) });
    });
  };
  let end = 0;
  for (const match of text.matchAll(ESCAPE)) {
    push(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (match[2] === "m" && /^[\d;:]*$/.test(match[1] ?? "")) style = select(style, match[1] ?? "");
  }
  push(text.slice(end));
  // A text that ends with a line break has no line behind it.
  if (found.length > 1 && found.at(-1)?.length === 0) found.pop();
  return found;
}

function classes(style: Style): string {
  const names: string[] = [];
  if (style.colour !== undefined) names.push(`ansi-${style.colour}`);
  if (style.bold) names.push("bold");
  if (style.faint) names.push("faint");
  if (style.italic) names.push("italic");
  if (style.underline) names.push("underline");
  if (style.strike) names.push("strike");
  return names.join(" ");
}

/** The style after a sequence that selects one. */
function select(style: Style, parameters: string): Style {
  const numbers = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let n = 0; n < numbers.length; n += 1) {
    const code = numbers[n] ?? 0;
    if (code === 0) next = PLAIN;
    else if (code === 1) next = { ...next, bold: true };
    else if (code === 2) next = { ...next, faint: true };
    else if (code === 3) next = { ...next, italic: true };
    else if (code === 4) next = { ...next, underline: true };
    else if (code === 9) next = { ...next, strike: true };
    else if (code === 22) next = { ...next, bold: false, faint: false };
    else if (code === 23) next = { ...next, italic: false };
    else if (code === 24) next = { ...next, underline: false };
    else if (code === 29) next = { ...next, strike: false };
    else if (code >= 30 && code <= 37) next = { ...next, colour: code - 30 };
    else if (code >= 90 && code <= 97) next = { ...next, colour: code - 90 + 8 };
    else if (code === 39) next = { ...next, colour: undefined };
    else if (code === 38 || code === 48 || code === 58) {
      const [colour, used] = extended(numbers, n + 1);
      n += used;
      // Backgrounds and the colours of underlines are dropped.
      if (code === 38 && colour !== undefined) next = { ...next, colour };
    }
  }
  return next;
}

/** A colour of 256 or of 16 million as the nearest of 16, and how many numbers say so. */
function extended(numbers: number[], at: number): [number | undefined, number] {
  if (numbers[at] === 5) {
    const index = numbers[at + 1] ?? 0;
    if (index < 16) return [index, 2];
    if (index >= 232) return [nearest([8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10]), 2];
    const level = (part: number) => (part === 0 ? 0 : 55 + part * 40);
    const cube = index - 16;
    return [nearest([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]), 2];
  }
  if (numbers[at] === 2) return [nearest([numbers[at + 1] ?? 0, numbers[at + 2] ?? 0, numbers[at + 3] ?? 0]), 4];
  return [undefined, 0];
}

const PALETTE: [number, number, number][] = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
];

function nearest(colour: [number, number, number]): number {
  const distance = (other: [number, number, number]) =>
    other.reduce((sum, part, n) => sum + (part - (colour[n] ?? 0)) ** 2, 0);
  return PALETTE.reduce((best, other, n) => (distance(other) < distance(PALETTE[best] ?? [0, 0, 0]) ? n : best), 0);
}
