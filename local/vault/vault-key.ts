import { randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { replaceFile } from "./journal.ts";
import { seal, unseal } from "./seal.ts";

// The key that seals the values on the disk. It never lies beside them: a copied state folder opens nothing.

type Environment = Readonly<Record<string, string | undefined>>;

const keyLength = 32;

/** Where this user's programs keep their settings, as each system has it; `XDG_CONFIG_HOME` goes first everywhere. */
export function configFolder(env: Environment = process.env, platform: string = process.platform): string {
  const given = env["XDG_CONFIG_HOME"];
  if (given) return join(given, "pinion");
  if (platform === "win32") return join(env["APPDATA"] ?? join(homedir(), "AppData", "Roaming"), "pinion");
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "pinion");
  return join(homedir(), ".config", "pinion");
}

/**
 * The key: from `keyFile` when given, else from `PINION_VAULT_KEY`, else the user's own, which is made at first use
 * (`vault.key` in the configuration folder, mode 0600). Throws an error that says what to do.
 */
export function sealingKey(keyFile?: string, env: Environment = process.env): Buffer {
  if (keyFile !== undefined) {
    if (!existsSync(keyFile)) {
      throw new Error(
        `There is no key file ${keyFile}. Make one, for instance with: openssl rand -hex 32 > ${keyFile}`,
      );
    }
    return parseKey(readFileSync(keyFile), keyFile);
  }
  const text = env["PINION_VAULT_KEY"];
  if (text) return parseKey(Buffer.from(text), "PINION_VAULT_KEY");
  const own = join(configFolder(env), "vault.key");
  if (!existsSync(own)) makeKey(own);
  return parseKey(readFileSync(own), own);
}

/** 32 bytes, or their text in hexadecimal or base64. */
function parseKey(content: Buffer, where: string): Buffer {
  if (content.length === keyLength) return content;
  const text = content.toString("latin1").trim();
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  if (key.length === keyLength && /^[\w+/=-]+$/.test(text)) return key;
  throw new Error(`${where} is no key: it must be 32 bytes, or their text in hexadecimal or base64.`);
}

/** Two processes that start at once get the same key. */
function makeKey(file: string): void {
  const temporary = `${file}.${process.pid}.new`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, `${randomBytes(keyLength).toString("hex")}\n`, { mode: 0o600, flush: true });
  } catch (error) {
    const advice = "Give the key yourself: --key-file or PINION_VAULT_KEY.";
    throw new Error(`The key of the vaults cannot be kept in ${file}. ${advice}`, { cause: error });
  }
  try {
    linkSync(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(temporary);
  }
}

/**
 * Seals anew what was sealed with a `vault.key` in the state folder, as earlier versions kept it, and removes that key.
 * A kill in between leaves a folder that the next start finishes. Backups sealed with the old key open no more.
 */
export function migrateKey(stateDir: string, key: Buffer): void {
  const file = join(stateDir, "vault.key");
  if (!existsSync(file)) return;
  const old = readFileSync(file);
  if (old.length !== keyLength) throw new Error(`${file} is damaged: it must hold 32 bytes.`);
  for (const name of readdirSync(stateDir).filter((one) => one.endsWith(".journal"))) {
    const path = join(stateDir, name);
    const reseal = (line: string, index: number) => {
      const sealed = Buffer.from(line, "base64");
      if (unseal(key, basename(path), sealed) !== undefined) return line;
      const text = unseal(old, basename(path), sealed);
      if (text === undefined) throw new Error(`${path} is damaged at line ${index + 1}, or vault.key is not its key.`);
      return seal(key, basename(path), text).toString("base64");
    };
    // What stands after the last line end was cut off by a kill.
    const lines = readFileSync(path, "latin1").split("\n").slice(0, -1).map(reseal);
    replaceFile(path, lines.map((line) => `${line}\n`).join(""));
  }
  rmSync(file);
}
