import { createHash } from "node:crypto";
import { once } from "node:events";
import { realpathSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PinionError } from "../../src/errors.ts";

/**
 * Takes a state folder for this process: two on one folder would stop each other's servers and overwrite each other's work. Lets it go
 * when the returned function is called, or when the process ends, however it does. Throws when another one has it.
 */
export async function takeFolder(dir: string): Promise<() => void> {
  const place = placeOf(dir);
  const server = createServer((socket) => socket.destroy()).unref();
  for (let first = true; ; first = false) {
    server.listen(place);
    try {
      await once(server, "listening");
      return () => void server.close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (!first || (await answers(place)))
        throw new PinionError(
          "CONFLICT",
          `${dir} is in use by another start: end that one first (Ctrl+C where it runs), or take another folder with --dir.`,
          { cause: error },
        );
      // What a killed process left.
      rmSync(place, { force: true });
    }
  }
}

/** A socket is let go with its process, as no file is. Its path must be short, so it is not in the folder itself. */
function placeOf(dir: string): string {
  const name = `pinion-${createHash("sha256").update(realpathSync(dir)).digest("hex").slice(0, 24)}`;
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

function answers(place: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(place);
    const end = (there: boolean) => () => {
      socket.destroy();
      resolve(there);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}
