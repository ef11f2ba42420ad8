import { PinionError } from "../../src/errors.ts";
import type { Account } from "../az.ts";
import { type Graph, list, reads } from "./graph.ts";

// Who may register applications may plant one of our name and mark. As its owner they could add credentials to it, and give themselves its
// roles, whatever is mended of it: so one that is found is used only by whoever owns it, or names it by its client id.

interface Owner {
  readonly id: string;
  readonly displayName?: string | null;
  readonly userPrincipalName?: string | null;
}

/** Says who owns an application that was found, and its service principal; `CONFLICT` where that is not the caller alone and `named` is false. */
export async function checkOwners(
  graph: Graph,
  app: { readonly id: string; readonly appId: string },
  {
    user,
    named,
    say,
  }: { readonly user: Account["user"]; readonly named: boolean; readonly say: (line: string) => void },
): Promise<void> {
  const principal = await one(graph, `/servicePrincipals(appId='${app.appId}')`);
  const ownersAt = (path: string) => list<Owner>(graph, "read who owns the application", `${path}/owners`);
  const ofApp = await ownersAt(`/applications/${app.id}`);
  const ofPrincipal = principal === undefined ? [] : await ownersAt(`/servicePrincipals/${principal.id}`);
  const owners = [...new Map([...ofApp, ...ofPrincipal].map((owner) => [owner.id, owner])).values()];
  const names = owners.length === 0 ? "nobody" : owners.map(nameOf).join(", ");
  say(`owners   ${names}`);
  if (named) return;
  const caller = await callerOf(graph, user);
  if (ofApp.length > 0 && owners.every(({ id }) => id === caller)) return;
  throw new PinionError(
    "CONFLICT",
    `The application is not yours alone (its owners: ${names}); an owner can add credentials to it and take its roles. If it is Pinion's and you trust them, run this again with --client-id ${app.appId}; if not, choose another --name.`,
  );
}

const nameOf = ({ id, displayName, userPrincipalName }: Owner): string =>
  `${[displayName, userPrincipalName].filter(Boolean).join(", ") || "without a name"} (${id})`;

/** Object id of whoever az is logged in as; undefined for a managed identity, which az does not name. */
async function callerOf(graph: Graph, { type, name }: Account["user"]): Promise<string | undefined> {
  if (type === "user") return (await one(graph, "/me"))?.id;
  return /^[0-9a-f-]{36}$/i.test(name) ? (await one(graph, `/servicePrincipals(appId='${name}')`))?.id : undefined;
}

const one = async (graph: Graph, path: string) =>
  (await graph({ does: `read ${path.slice(1)}`, method: "GET", path, needs: reads, mayBeAbsent: true })) as
    | { readonly id: string }
    | undefined;
