import { closeSync, existsSync, mkdirSync, openSync, readSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** The cloud's clock: milliseconds since 1970, as every part of the local cloud sees it. */
export interface Clock {
  now(): number;
}

/**
 * A clock that can be moved. It is a file that holds an offset in milliseconds (or, while it stands still, `=` and the
 * instant), so that every process sees the same time, and a change when the call that made it returns.
 */
export interface MovableClock extends Clock {
  /** Milliseconds to go forward; never back. */
  advance(milliseconds: number): void;
  /** Goes to an instant; throws a RangeError when that is in the past, unless the clock may go back. */
  set(instant: number): void;
  /** Stands still, or goes on from where it stood. */
  freeze(frozen: boolean): void;
  frozen(): boolean;
  readonly file: string;
}

const realNow = Date.now;
const maxAge = 5;

/** Opens the clock kept in `file`, making it with offset 0 when absent. Reading costs a `pread` at most every 5 ms. */
export function openClock(file: string, { mayGoBack = false } = {}): MovableClock {
  if (!existsSync(file)) write(file, "0");
  const buffer = Buffer.alloc(32);
  let offset = 0;
  let stands: number | undefined;
  let readAt = -Infinity;
  const refresh = () => {
    // The file is replaced by rename, so it is opened anew each time; a torn read is not possible.
    const fd = openSync(file, "r");
    const length = readSync(fd, buffer, 0, buffer.length, 0);
    closeSync(fd);
    const text = buffer.toString("latin1", 0, length);
    if (text.startsWith("=")) stands = Number(text.slice(1));
    else [stands, offset] = [undefined, Number(text)];
    readAt = performance.now();
  };
  const now = () => {
    if (performance.now() - readAt > maxAge) refresh();
    return stands ?? realNow() + offset;
  };
  const change = (text: (now: number) => string) => {
    refresh();
    write(file, text(now()));
    readAt = -Infinity;
    // When this returns, no process goes by what it read before.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, maxAge + 1);
  };
  const at = (instant: number, frozen: boolean) =>
    frozen ? `=${Math.round(instant)}` : String(Math.round(instant - realNow()));
  return {
    file,
    now,
    advance(milliseconds) {
      if (!(milliseconds >= 0)) throw new RangeError("The cloud's clock only goes forward.");
      change((before) =>
        stands === undefined ? String(offset + Math.round(milliseconds)) : at(before + milliseconds, true),
      );
    },
    set(instant) {
      if (!Number.isFinite(instant)) throw new RangeError("That is no instant.");
      change((before) => {
        if (instant < before && !mayGoBack) throw new RangeError("The cloud's clock only goes forward.");
        return at(instant, stands !== undefined);
      });
    },
    freeze: (frozen) => change((before) => at(before, frozen)),
    frozen() {
      now();
      return stands !== undefined;
    },
  };
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, text);
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
