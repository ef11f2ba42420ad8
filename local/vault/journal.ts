import {
  closeSync,
  existsSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { seal, unseal } from "./seal.ts";

/**
 * An append-only file of sealed records. What `append` has returned from survives a killed process; once `durable` has
 * resolved it survives a lost machine too. Many appends share one flush of the disk.
 */
export interface Journal<R> {
  readonly append: (record: R) => void;
  /** Resolves when all that was appended so far is on the disk; undefined: it is. Rejects when the disk fails. */
  readonly durable: () => Promise<void> | undefined;
  /** Replaces the whole file by these records, in one step. */
  readonly rewrite: (records: readonly R[]) => void;
  /** Resolves when everything is on the disk. */
  readonly close: () => Promise<void>;
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
    if (record === undefined) {
      throw new Error(`${file} is damaged at line ${index + 1}, or was sealed with another key.`);
    }
    replay(JSON.parse(record) as R);
  }
  let length = whole;
  const replace = (records: readonly R[]) => {
    const fresh = records.map(encode).join("");
    replaceFile(file, fresh);
    length = fresh.length;
  };
  const live = snapshot();
  if (lines.length > 2 * live.length + 100) replace(live);
  let fd = openSync(file, "a", 0o600);
  // What stands after the last whole line goes. The text is ASCII, so characters are bytes.
  ftruncateSync(fd, length);

  let [written, flushed] = [0, 0];
  let failure: Error | undefined;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let closed = false;

  const flush = async () => {
    const until = written;
    running = next;
    next = undefined;
    try {
      await new Promise<void>((done, failed) => fdatasync(fd, (error) => (error ? failed(error) : done())));
      flushed = Math.max(flushed, until);
    } catch (error) {
      // What the kernel did with the pages is unknown: nothing is promised from here on.
      failure = new Error(`${file} cannot be written any more.`, { cause: error });
      throw failure;
    } finally {
      running = undefined;
    }
  };

  const durable = () => {
    if (failure) return Promise.reject(failure);
    if (flushed === written) return undefined;
    return (next ??= Promise.resolve(running).then(flush, flush));
  };

  return {
    append(record) {
      // The number of a closed file may belong to another one by now.
      if (closed) throw new Error(`${file} is closed.`);
      if (failure) throw failure;
      const line = encode(record);
      try {
        writeFileSync(fd, line);
      } catch (error) {
        ftruncateSync(fd, length);
        throw error;
      }
      length += line.length;
      written += 1;
    },
    durable,
    rewrite(records) {
      if (closed) throw new Error(`${file} is closed.`);
      const [old, busy] = [fd, running];
      replace(records);
      fd = openSync(file, "a", 0o600);
      flushed = written;
      // A flush that is under way still needs the old file.
      const end = () => closeSync(old);
      if (busy) void busy.then(end, end);
      else end();
    },
    async close() {
      if (closed) return;
      closed = true;
      // What the clock did, and nobody waited for, is not flushed yet.
      await durable()?.catch(() => undefined);
      await running?.catch(() => undefined);
      closeSync(fd);
    },
  };
}

/** Replaces a file so that a kill, or a lost machine, leaves the old one or the new one. */
export function replaceFile(file: string, text: string | Buffer): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  try {
    const folder = openSync(dirname(file), "r");
    fsyncSync(folder);
    closeSync(folder);
  } catch {
    // Windows opens no folders; there the rename is as good as it gets.
  }
}
