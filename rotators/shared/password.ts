import { randomInt } from "node:crypto";

/** Letters and digits: safe in a URL, a connection string, a shell and JSON without any escaping. */
export const urlSafeAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

export interface PasswordOptions {
  /** Number of characters; 40 unless given. Of the default alphabet, 40 carry 238 bits. */
  readonly length?: number;
  /** Characters to choose from, each with the same chance; {@link urlSafeAlphabet} unless given. */
  readonly alphabet?: string;
  /** Characters never to use. */
  readonly exclude?: string;
}

/**
 * A password from the system's random source, every allowed character equally likely.
 * Throws a RangeError when fewer than two characters are left to choose from, or the length is not a whole number of at least 1.
 */
export function generatePassword({
  length = 40,
  alphabet = urlSafeAlphabet,
  exclude = "",
}: PasswordOptions = {}): string {
  const excluded = new Set(exclude);
  const letters = [...new Set(alphabet)].filter((letter) => !excluded.has(letter));
  if (letters.length < 2) throw new RangeError("A password needs at least two characters to choose from.");
  if (!Number.isInteger(length) || length < 1)
    throw new RangeError("A password's length is a whole number of at least 1.");
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join("");
}
