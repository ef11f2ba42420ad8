import { expect, it } from "vitest";
import { entraScope } from "../../rotators/shared/postgres/connect.ts";
import { openPublisher } from "../../src/events.ts";

// What tokens are asked for goes by the cloud that an address is in.

it.each([
  ["shop.postgres.database.azure.com", "https://ossrdbms-aad.database.windows.net/.default"],
  ["db.contoso.example", "https://ossrdbms-aad.database.windows.net/.default"],
  ["shop.postgres.database.usgovcloudapi.net", "https://ossrdbms-aad.database.usgovcloudapi.net/.default"],
  ["shop.postgres.database.chinacloudapi.cn", "https://ossrdbms-aad.database.chinacloudapi.cn/.default"],
])("PostgreSQL at %s", (host, scope) => expect(entraScope(host)).toBe(scope));

it.each([
  ["https://pinion.usgovvirginia-1.eventgrid.azure.us/api/events", "https://eventgrid.azure.us/.default"],
  ["https://pinion.westeurope-1.eventgrid.azure.net/api/events", "https://eventgrid.azure.net/.default"],
])("a topic at %s", async (endpoint, scope) => {
  const asked: unknown[] = [];
  const getToken = async (scopes: string | string[]) => {
    asked.push(scopes);
    throw new Error("no further");
  };
  const event = {
    type: "Pinion.Rotation.Started",
    id: "1",
    subject: "s",
    time: new Date(0).toISOString(),
    data: {},
  } as const;
  await expect(openPublisher(endpoint, "/pinion", { getToken })(event)).rejects.toThrow("no further");
  expect(asked[0]).toBe(scope);
});
