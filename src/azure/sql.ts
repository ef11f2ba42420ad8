import type { SqlManagementClient, SqlManagementClientOptionalParams } from "@azure/arm-sql";
import { PinionError } from "../errors.ts";
import type { Arm, ArmRequest } from "./arm.ts";

type HttpClient = NonNullable<SqlManagementClientOptionalParams["httpClient"]>;

const endpoint = "https://management.azure.com";
const methods: ReadonlySet<string> = new Set<ArmRequest["method"]>(["GET", "POST", "PUT", "PATCH"]);
const isMethod = (method: string): method is ArmRequest["method"] => methods.has(method);

/**
 * Microsoft.Sql as @azure/arm-sql describes it (paths, api-versions, pages), over our own {@link Arm}: the token, the errors and the
 * waiting are the same for every service. A `begin...AndWait` ends when the operation has ended; read the resource back.
 */
export async function openSql(arm: Arm, subscriptionId: string, signal: AbortSignal): Promise<SqlManagementClient> {
  // As CommonJS: a bundle gives its exports by `default` alone.
  const { default: sql } = await import("@azure/arm-sql");
  const httpClient: HttpClient = {
    async sendRequest(request) {
      const url = new URL(request.url);
      const { method } = request;
      if (!isMethod(method)) throw new PinionError("INTERNAL", `Azure SQL is never asked to ${method}.`);
      const apiVersion = url.searchParams.get("api-version") ?? "";
      const body = typeof request.body === "string" ? { body: JSON.parse(request.body) as unknown } : {};
      const found = await arm({ method, path: `${url.pathname}${url.search}`, apiVersion, signal, ...body });
      // The client reads but one header of a reply: its type.
      const { headers } = request;
      headers.set("content-type", "application/json");
      return { request, headers, status: 200, bodyAsText: found === undefined ? "" : JSON.stringify(found) };
    },
  };
  // The token is Arm's business; the client only must not go without one.
  const credential = { getToken: async () => ({ token: "-", expiresOnTimestamp: Number.MAX_SAFE_INTEGER }) };
  return new sql.SqlManagementClient(credential, subscriptionId, {
    endpoint,
    httpClient,
  });
}
