/** Splits a stream of bytes at its line ends. */
export class LineReader {
  #pieces: string[] = [];
  readonly #decoder = new TextDecoder();

  /** The lines that are complete with this piece, also empty ones, without their `\n`. */
  push(piece: Uint8Array): string[] {
    const lines = this.#decoder.decode(piece, { stream: true }).split("\n");
    const rest = lines.pop() ?? "";
    if (lines.length === 0) {
      // A long line is put together once, not with each piece.
      this.#pieces.push(rest);
      return [];
    }
    lines[0] = this.#pieces.join("") + (lines[0] ?? "");
    this.#pieces = [rest];
    return lines;
  }
}
