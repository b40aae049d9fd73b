import type { LogPage } from "./pages";

/** The height of a line that is not wrapped, in pixels. */
export const ROW = 20;
/** How high an element may be: browsers cut what is higher than some 16 to 33 million pixels. */
export const HIGHEST = 16_000_000;

/** A line: the page that begins with a number, and the line's place in it. */
export interface Spot {
  page: number;
  row: number;
}

/** Where the lines are: pages that are not held have lines of one height. */
export class LogLayout {
  readonly pages: readonly LogPage[];
  /** The height of all lines. */
  readonly total: number;
  readonly #tops: Float64Array;
  readonly #heights: ReadonlyMap<string, number>;

  /** `heights`: those of lines that are wrapped, by their keys. */
  constructor(pages: readonly LogPage[], heights: ReadonlyMap<string, number>) {
    this.pages = pages;
    this.#heights = heights;
    this.#tops = new Float64Array(pages.length + 1);
    for (const [index, page] of pages.entries()) {
      let height = page.size * ROW;
      if (heights.size > 0 && page.rows !== undefined) {
        for (const row of page.rows) height += (heights.get(row.key) ?? ROW) - ROW;
      }
      this.#tops[index + 1] = (this.#tops[index] ?? 0) + height;
    }
    this.total = this.#tops[pages.length] ?? 0;
  }

  /** The line at a height, and how far below its beginning that is. */
  at(top: number): Spot & { within: number } {
    let [low, high] = [0, this.pages.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#tops[middle] ?? 0) <= top) low = middle;
      else high = middle - 1;
    }
    let rest = Math.max(0, top - (this.#tops[low] ?? 0));
    const size = this.pages[low]?.size ?? 0;
    if (this.#isEven(low)) {
      const row = Math.min(Math.floor(rest / ROW), Math.max(0, size - 1));
      return { page: low, row, within: rest - row * ROW };
    }
    let row = 0;
    for (; row < size - 1 && rest >= this.height(low, row); row += 1) rest -= this.height(low, row);
    return { page: low, row, within: rest };
  }

  topOf({ page, row }: Spot): number {
    const top = this.#tops[page] ?? this.total;
    if (this.#isEven(page)) return top + row * ROW;
    let height = 0;
    for (let n = 0; n < row; n += 1) height += this.height(page, n);
    return top + height;
  }

  height(page: number, row: number): number {
    const key = this.pages[page]?.rows?.[row]?.key;
    return key === undefined ? ROW : (this.#heights.get(key) ?? ROW);
  }

  /** The line behind a line. */
  next({ page, row }: Spot): Spot | undefined {
    if (row + 1 < (this.pages[page]?.size ?? 0)) return { page, row: row + 1 };
    for (let n = page + 1; n < this.pages.length; n += 1) {
      if ((this.pages[n]?.size ?? 0) > 0) return { page: n, row: 0 };
    }
    return undefined;
  }

  #isEven(page: number): boolean {
    return this.#heights.size === 0 || this.pages[page]?.rows === undefined;
  }
}

/**
 * Translates between the place of the scroll bar and the height at which lines are shown, where all lines are higher than
 * an element can be: dragging the bar moves in proportion, a short scroll by as many pixels as it says.
 */
export class LogScale {
  readonly #total: number;
  readonly #view: number;

  constructor(total: number, view: number) {
    [this.#total, this.#view] = [total, view];
  }

  /** The height of the element that is scrolled. */
  get height(): number {
    return Math.min(this.#total, HIGHEST);
  }

  get #ratio(): number {
    if (this.#total <= HIGHEST) return 1;
    return (this.#total - this.#view) / (HIGHEST - this.#view);
  }

  /** The greatest height at which lines can be shown. */
  get end(): number {
    return Math.max(0, this.#total - this.#view);
  }

  /** Where the bar is when the lines at a height are shown. */
  bar(top: number): number {
    return top / this.#ratio;
  }

  /** The height to show after the bar has moved from one place to another. */
  moved(top: number, from: number, to: number): number {
    if (this.#ratio === 1) return to;
    if (to <= 0) return 0;
    if (to >= this.height - this.#view - 1) return this.end;
    const by = to - from;
    const next = Math.abs(by) <= 3 * this.#view ? top + by : to * this.#ratio;
    return Math.min(Math.max(next, 0), this.end);
  }
}
