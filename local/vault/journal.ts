import {
  closeSync,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { seal, unseal } from "./seal.ts";

/** An append-only file of sealed records. What `append` has returned from survives a killed process and a lost machine. */
export interface Journal<R> {
  readonly append: (record: R) => void;
  readonly close: () => void;
}

/**
 * Opens or makes `file` and replays its records in order. A line cut off by a kill is dropped: its write was never
 * answered. When most lines are outdated, the file is first rewritten with `snapshot`. Throws on a damaged file or a
 * wrong key, naming the file.
 */
export function openJournal<R>(
  file: string,
  key: Buffer,
  replay: (record: R) => void,
  snapshot: () => readonly R[],
): Journal<R> {
  const purpose = basename(file);
  const encode = (record: R) => `${seal(key, purpose, JSON.stringify(record)).toString("base64")}\n`;
  const text = existsSync(file) ? readFileSync(file, "latin1") : "";
  const whole = text.lastIndexOf("\n") + 1;
  const lines = text.slice(0, whole).split("\n").slice(0, -1);
  for (const [index, line] of lines.entries()) {
    const record = unseal(key, purpose, Buffer.from(line, "base64"));
    if (record === undefined) throw new Error(`${file} is damaged at line ${index + 1}, or vault.key is not its key.`);
    replay(JSON.parse(record) as R);
  }
  const live = snapshot();
  let length = whole;
  if (lines.length > 2 * live.length + 100) {
    const fresh = live.map(encode).join("");
    writeFileSync(`${file}.new`, fresh, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
    length = fresh.length;
  }
  const fd = openSync(file, "a", 0o600);
  // What stands after the last whole line goes. The text is ASCII, so characters are bytes.
  ftruncateSync(fd, length);
  let closed = false;
  return {
    append(record) {
      // The number of a closed file may belong to another one by now.
      if (closed) throw new Error(`${file} is closed.`);
      const line = encode(record);
      try {
        writeFileSync(fd, line);
        fdatasyncSync(fd);
      } catch (error) {
        ftruncateSync(fd, length);
        throw error;
      }
      length += line.length;
    },
    close() {
      if (!closed) closeSync(fd);
      closed = true;
    },
  };
}
