import { z } from "zod";

// The texts of rotations.json that several schemas share.

/** A text of this pattern; `expected` is what a fault reports. */
export const text = (expected: string, pattern: RegExp) =>
  z.string({ error: expected }).regex(pattern, { error: expected });

/** https, or http to this very machine; no user name or password inside. */
export function isSafeUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, username, password } = new URL(value);
  const loopback = hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
  return username === "" && password === "" && (protocol === "https:" || (protocol === "http:" && loopback));
}

/** An ARM resource id; `provider` and `name` are patterns. */
export const arm = (provider: string, name: string, expected: string) =>
  text(
    `a resource id like /subscriptions/<guid>/resourceGroups/<group>/providers/${expected}`,
    new RegExp(
      `^/subscriptions/[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}/resource[gG]roups/[^/?#%]{1,90}/providers/${provider}/${name}$`,
    ),
  );

/** Names within the file. */
export const label = text(
  "1 to 63 lower-case letters, digits and hyphens, starting with a letter or digit",
  /^[a-z0-9][a-z0-9-]{0,62}$/,
);

/** The name of a field in somebody else's JSON or connection string. */
export const field = z.string().min(1, { error: "a name of at least 1 character" });
