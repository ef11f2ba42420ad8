import {
  redirectOf,
  type Wish,
  appRoles,
  credentialOf,
  firstBody,
  wishedClient,
  wishedRoles,
  wishedScope,
} from "./wish.ts";

/**
 * The commands by which an administrator makes the application, in a shell. They change what is named in them and read nothing first, so
 * they are for a new application; a later run of this command finds what they made.
 */
export function printed(wish: Wish): readonly string[] {
  const url = `${wish.cloud.graph}/v1.0`;
  const rest = (method: string, path: string, body: unknown, more = ""): string =>
    `az rest --method ${method} --url "${url}${path}" --body ${quoted(JSON.stringify(body))}${more}`;
  const app = "/applications(appId='$appId')";
  const api = { requestedAccessTokenVersion: 2, oauth2PermissionScopes: [wishedScope] };
  const patch = (body: unknown): string => rest("PATCH", app, body);
  return [
    `# Makes the Entra application ${wish.name}. To be run by an Application Administrator of tenant ${wish.tenantId}.`,
    "set -eu",
    `appId=$(${rest("POST", "/applications", firstBody(wish.name), " --query appId --output tsv")})`,
    // The id is known by the shell only, so this one body is not quoted as a whole.
    `az rest --method PATCH --url "${url}${app}" --body "{\\"identifierUris\\":[\\"api://$appId\\"]}"`,
    patch({ appRoles: wishedRoles }),
    patch({ api }),
    patch({ api: { ...api, preAuthorizedApplications: [wishedClient] } }),
    ...(wish.site === undefined
      ? []
      : [
          patch({
            web: { redirectUris: [redirectOf(wish.site)], implicitGrantSettings: { enableIdTokenIssuance: true } },
          }),
        ]),
    ...(wish.identity === undefined
      ? []
      : [rest("POST", `${app}/federatedIdentityCredentials`, credentialOf(wish, wish.identity))]),
    `principal=$(az rest --method POST --url "${url}/servicePrincipals" --body "{\\"appId\\":\\"$appId\\",\\"appRoleAssignmentRequired\\":true}" --query id --output tsv)`,
    ...wish.holders.map(
      ({ role, principalId }) =>
        `az rest --method POST --url "${url}/servicePrincipals/$principal/appRoleAssignedTo" --body "{\\"principalId\\":\\"${principalId}\\",\\"resourceId\\":\\"$principal\\",\\"appRoleId\\":\\"${appRoles[role].id}\\"}"`,
    ),
    `echo "client id: $appId"`,
  ];
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
