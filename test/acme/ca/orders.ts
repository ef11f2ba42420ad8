import { createHash, randomBytes } from "node:crypto";

/** A problem document, or what stands for one in an order or a challenge. */
export interface CaProblem {
  readonly type: string;
  readonly detail: string;
  readonly subproblems?: readonly unknown[];
  readonly instance?: string;
}

export interface CaOrder {
  readonly id: string;
  readonly kid: string;
  readonly names: readonly string[];
  readonly profile?: string;
  readonly replaces?: string;
  readonly authorizations: readonly CaAuthorization[];
  status: "pending" | "ready" | "processing" | "valid" | "invalid";
  pem?: string;
  error?: CaProblem;
  /** How often it was looked at since it was finalized. */
  looks: number;
}

export interface CaAuthorization {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  status: "pending" | "valid" | "invalid";
  error?: CaProblem;
}

export const newId = () => randomBytes(9).toString("base64url");

export function newOrder(
  kid: string,
  names: readonly string[],
  more: { readonly profile?: string; readonly replaces?: string },
): CaOrder {
  const authorizations = names.map((name) => ({ id: newId(), name, token: newId(), status: "pending" as const }));
  return { id: newId(), kid, names, ...more, authorizations, status: "pending", looks: 0 };
}

/** Where and what a dns-01 challenge is looked for (RFC 8555 section 8.4). */
export function wantedTxt({ name, token }: CaAuthorization, thumbprint: string): readonly [string, string] {
  const value = createHash("sha256").update(`${token}.${thumbprint}`).digest("base64url");
  return [`_acme-challenge.${name.replace(/^\*\./, "")}`, value];
}

/** The same of an http-01 challenge (RFC 8555 section 8.3). */
export const wantedAnswer = ({ name, token }: CaAuthorization, thumbprint: string): readonly [string, string] => [
  `${name}/${token}`,
  `${token}.${thumbprint}`,
];

/** What an order's authorizations make of it. */
export function settle(order: CaOrder): void {
  if (order.status !== "pending") return;
  if (order.authorizations.some(({ status }) => status === "invalid")) order.status = "invalid";
  else if (order.authorizations.every(({ status }) => status === "valid")) order.status = "ready";
}
