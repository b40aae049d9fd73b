import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";

/** A store of runs as files, into which a test writes a longer log than it could wait for. */
export class FileStore {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  #path(run: string, file = ""): string {
    return join(this.folder, "runs", run, file);
  }

  /** Writes output in place of that of a run that has ended. */
  async writeLog(run: string, lines: number, text: (number: number) => string): Promise<void> {
    const [first = ""] = readFileSync(this.#path(run, "output.jsonl"), "utf8").split("\n");
    const sample = JSON.parse(first) as { number: number; text: string };
    const file = openSync(this.#path(run, "output.jsonl"), "w");
    for (let number = 1; number <= lines;) {
      const part: string[] = [];
      for (; number <= lines && part.length < 10_000; number += 1) {
        part.push(JSON.stringify({ ...sample, number, text: text(number) }));
      }
      writeSync(file, `${part.join("\n")}\n`);
      // Meanwhile the connections to the server are looked after: one that was closed is not used again.
      await setImmediate();
    }
    closeSync(file);
  }
}
