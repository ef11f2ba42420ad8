import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The cloud's clock: milliseconds since 1970, as every part of the local cloud sees it. */
export interface Clock {
  now(): number;
}

/** A clock that can be moved. It is a file that holds an offset in milliseconds, so that every process sees the same time. */
export interface MovableClock extends Clock {
  /** Milliseconds to go forward; never back. Every process sees it when this returns. */
  advance(milliseconds: number): void;
  readonly file: string;
}

const realNow = Date.now;
const maxAge = 5;

/** Opens the clock kept in `file`, making it with offset 0 when absent. Reading costs a `pread` at most every 5 ms. */
export function openClock(file: string): MovableClock {
  if (!existsSync(file)) write(file, 0);
  const buffer = Buffer.alloc(32);
  let offset = 0;
  let readAt = -Infinity;
  const refresh = () => {
    // The file is replaced by rename, so it is opened anew each time; a torn read is not possible.
    const fd = openSync(file, "r");
    const length = readSync(fd, buffer, 0, buffer.length, 0);
    closeSync(fd);
    offset = Number(buffer.toString("latin1", 0, length));
    readAt = performance.now();
  };
  return {
    file,
    now() {
      if (performance.now() - readAt > maxAge) refresh();
      return realNow() + offset;
    },
    advance(milliseconds) {
      if (!(milliseconds >= 0)) throw new RangeError("The cloud's clock only goes forward.");
      refresh();
      write(file, offset + Math.round(milliseconds));
      readAt = -Infinity;
      // When this returns, no process goes by what it read before.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, maxAge + 1);
    },
  };
}

function write(file: string, offset: number): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, String(offset));
  renameSync(temporary, file);
}

/** Makes `Date` of this process follow the clock. Timers (`setTimeout`) keep real time. */
export function patchDate(clock: Clock): void {
  const RealDate = Date;
  const CloudDate = function (this: unknown, ...args: unknown[]) {
    if (new.target === undefined) return new RealDate(clock.now()).toString();
    return Reflect.construct(RealDate, args.length === 0 ? [clock.now()] : args, new.target);
  };
  Object.setPrototypeOf(CloudDate, RealDate);
  Object.defineProperty(CloudDate, "prototype", { value: RealDate.prototype, writable: false });
  Object.defineProperty(CloudDate, "now", { value: () => clock.now(), writable: true, configurable: true });
  globalThis.Date = CloudDate as unknown as DateConstructor;
}
