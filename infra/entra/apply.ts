import { isDeepStrictEqual } from "node:util";
import { PinionError } from "../../src/errors.ts";
import type { Account } from "../az.ts";
import { type Graph, list, reads } from "./graph.ts";
import { checkOwners } from "./owners.ts";
import {
  appRoles,
  credentialOf,
  firstBody,
  type GraphRole,
  marker,
  redirectOf,
  type Wish,
  wishedClient,
  wishedRoles,
  wishedScope,
} from "./wish.ts";

/** An application as far as Graph tells of it. */
interface Application {
  readonly id: string;
  readonly appId: string;
  readonly tags?: readonly string[];
  readonly identifierUris?: readonly string[];
  readonly appRoles?: readonly GraphRole[];
  readonly api?: {
    readonly requestedAccessTokenVersion?: number | null;
    readonly oauth2PermissionScopes?: readonly { readonly id: string }[];
    readonly preAuthorizedApplications?: readonly {
      readonly appId: string;
      readonly delegatedPermissionIds: readonly string[];
    }[];
  };
  readonly web?: {
    readonly redirectUris?: readonly string[];
    readonly implicitGrantSettings?: { readonly enableIdTokenIssuance?: boolean };
  };
}

interface Assignment {
  readonly principalId: string;
  readonly principalDisplayName?: string | null;
  readonly appRoleId: string;
}

export interface Applied {
  readonly clientId: string;
  /** How many requests changed something. */
  readonly changes: number;
}

const writes =
  "the Entra role Application Administrator or Cloud Application Administrator (a pipeline's identity: the Graph permission Application.ReadWrite.OwnedBy)";
const assigns =
  "the Entra role Cloud Application Administrator (a pipeline's identity: the Graph permission AppRoleAssignment.ReadWrite.All)";

/** Makes the application what the wish says as `user`, and tells of each part what was done or found. Run twice, the second changes nothing. */
export async function apply(
  graph: Graph,
  wish: Wish,
  user: Account["user"],
  say: (line: string) => void,
): Promise<Applied> {
  let changes = 0;
  let fresh = false;
  /** A part that is right, or is put right. */
  const settle = async (part: string, right: boolean, path: string, body: unknown): Promise<void> => {
    if (right) return say(`found    ${part}`);
    await graph({ does: `set ${part}`, method: "PATCH", path, body, needs: writes, fresh });
    changes += 1;
    say(`set      ${part}`);
  };
  const make = async <T>(part: string, path: string, body: unknown, needs = writes): Promise<T> => {
    const made = (await graph({ does: `make ${part}`, method: "POST", path, body, needs, fresh })) as T;
    changes += 1;
    fresh = true;
    say(`made     ${part}`);
    return made;
  };

  const title = `the application ${wish.name}`;
  const known = await find(graph, wish);
  if (known !== undefined) {
    say(`found    ${title}`);
    await checkOwners(graph, known, { user, named: wish.clientId !== undefined, say });
  }
  const app = known ?? (await make<Application>(title, "/applications", firstBody(wish.name)));
  const at = `/applications/${app.id}`;

  const uri = `api://${app.appId}`;
  const uris = app.identifierUris ?? [];
  await settle(`the identifier URI ${uri}`, uris.includes(uri), at, { identifierUris: [...uris, uri] });

  const roles = app.appRoles ?? [];
  await settle("the roles Pinion.Reader and Pinion.Operator", holds(roles, wishedRoles), at, {
    appRoles: merged(sound(roles), wishedRoles),
  });

  const scopes = app.api?.oauth2PermissionScopes ?? [];
  const version = app.api?.requestedAccessTokenVersion === 2;
  const api = { requestedAccessTokenVersion: 2, oauth2PermissionScopes: merged(scopes, [wishedScope]) };
  const clients = app.api?.preAuthorizedApplications ?? [];
  await settle(
    "access tokens of version 2, the scope user_impersonation",
    version && holds(scopes, [wishedScope]),
    at,
    {
      api: { ...api, preAuthorizedApplications: clients },
    },
  );
  // After the scope: Graph takes a client only for scopes that are there.
  const others = clients.filter(({ appId }) => appId !== wishedClient.appId);
  const trusted = clients.some((client) => isDeepStrictEqual({ ...client }, wishedClient));
  await settle("the Azure CLI as a client without consent", trusted, at, {
    api: { ...api, preAuthorizedApplications: [...others, wishedClient] },
  });

  if (wish.site !== undefined) {
    const redirect = redirectOf(wish.site);
    const redirects = app.web?.redirectUris ?? [];
    const right = redirects.includes(redirect) && app.web?.implicitGrantSettings?.enableIdTokenIssuance === true;
    await settle(`signing in at ${redirect}`, right, at, {
      web: {
        redirectUris: redirects.includes(redirect) ? redirects : [...redirects, redirect],
        implicitGrantSettings: { enableIdTokenIssuance: true },
      },
    });
  }

  if (wish.identity !== undefined) {
    const credential = credentialOf(wish, wish.identity);
    const path = `${at}/federatedIdentityCredentials`;
    const found = await list<typeof credential & { readonly id: string }>(graph, "read its credentials", path, fresh);
    const named = found.find(({ name }) => name === credential.name);
    const part = `the managed identity ${wish.identity} as its credential`;
    if (named === undefined) await make(part, path, credential);
    else {
      const { issuer, subject, audiences } = named;
      const same = isDeepStrictEqual(
        { issuer, subject, audiences },
        { issuer: credential.issuer, subject: credential.subject, audiences: credential.audiences },
      );
      const { name: _name, ...rest } = credential;
      await settle(part, same, `${path}/${named.id}`, rest);
    }
  }

  const required = "the service principal, assignment required";
  const principalPath = `/servicePrincipals(appId='${app.appId}')`;
  interface Principal {
    readonly id: string;
    readonly appRoleAssignmentRequired: boolean;
  }
  const there = (await graph({
    does: "read the service principal",
    method: "GET",
    path: principalPath,
    needs: reads,
    mayBeAbsent: true,
  })) as Principal | undefined;
  const wished = { appRoleAssignmentRequired: true };
  const principal = there ?? (await make<Principal>(required, "/servicePrincipals", { appId: app.appId, ...wished }));
  if (there !== undefined)
    await settle(required, there.appRoleAssignmentRequired, `/servicePrincipals/${there.id}`, wished);

  const path = `/servicePrincipals/${principal.id}/appRoleAssignedTo`;
  const assigned = await list<Assignment>(graph, "read who holds its roles", path, fresh);
  for (const { role, principalId } of wish.holders) {
    const appRoleId = appRoles[role].id;
    const part = `${role} of ${principalId}`;
    if (assigned.some((one) => one.principalId === principalId && one.appRoleId === appRoleId)) say(`found    ${part}`);
    else await make(part, path, { principalId, resourceId: principal.id, appRoleId }, assigns);
  }
  for (const { principalId, principalDisplayName, appRoleId } of assigned) {
    const held = wishedRoles.find(({ id }) => id === appRoleId)?.value;
    if (held === undefined || wish.holders.some((one) => one.principalId === principalId && one.role === held))
      continue;
    say(`holder   ${held} of ${principalId}, ${principalDisplayName ?? "without a name"}`);
  }
  return { clientId: app.appId, changes };
}

/** The application of that name which carries our mark, and is the one of the client id where one is wished. One without the mark is never taken over. */
async function find(graph: Graph, { name, clientId }: Wish): Promise<Application | undefined> {
  const filter = encodeURIComponent(`displayName eq '${name.replaceAll("'", "''")}'`);
  const all = await list<Application>(graph, "look for the application", `/applications?$filter=${filter}`);
  const marked = all.filter(({ tags }) => tags?.includes(marker));
  const ours = clientId === undefined ? marked : marked.filter(({ appId }) => appId === clientId.toLowerCase());
  if (clientId !== undefined && ours.length === 0)
    throw new PinionError(
      "CONFLICT",
      `There is no application ${name} with the client id ${clientId} and the tag ${marker}: correct --name or --client-id.`,
    );
  if (ours.length > 1)
    throw new PinionError(
      "CONFLICT",
      `There are ${ours.length} applications ${name} with the tag ${marker}: say which with --client-id, or delete all but one.`,
    );
  if (ours.length === 0 && all.length > 0)
    throw new PinionError(
      "CONFLICT",
      `There is an application ${name} that this command did not make: choose another --name, or, if it is Pinion's, put the tag ${marker} on it.`,
    );
  return ours[0];
}

/** Whether each wished one is there, with every field as wished; Graph adds fields of its own. */
function holds(found: readonly { readonly id: string }[], wished: readonly { readonly id: string }[]): boolean {
  return wished.every((wish) => {
    const one = found.find(({ id }) => id === wish.id);
    const fields = Object.fromEntries(Object.keys(wish).map((key) => [key, one?.[key as "id"]]));
    return isDeepStrictEqual(fields, { ...wish });
  });
}

const merged = (found: readonly { readonly id: string }[], wished: readonly { readonly id: string }[]) => [
  ...found.filter(({ id }) => !wished.some((wish) => wish.id === id)),
  ...wished,
];

/** Roles of our names under other ids have holders, who would lose them without a word. */
function sound(roles: readonly GraphRole[]): readonly GraphRole[] {
  const odd = roles.find(({ id, value }) => wishedRoles.some((wish) => wish.value === value && wish.id !== id));
  if (odd === undefined) return roles;
  throw new PinionError(
    "CONFLICT",
    `The application has a role ${odd.value} with another id (${odd.id}): its holders would lose it. Disable and remove it, then run this again and assign them anew.`,
  );
}
