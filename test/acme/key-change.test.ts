import { expect, test } from "vitest";
import { withClient } from "../../rotators/shared/acme/client.ts";
import { openAccountKey } from "../../rotators/shared/acme/key.ts";
import { accountKey, register } from "./registered.ts";

// What the stand-in checks of a change of key (RFC 8555 section 7.3.5), by requests of our own client: a CA that takes all proves nothing.

test.each<[string, (parts: Parts) => Parts, string]>([
  ["as it must be", (parts) => parts, ""],
  ["another url inside", (parts) => ({ ...parts, header: { ...parts.header, url: "http://127.0.0.1/" } }), "inner url"],
  ["a nonce inside", (parts) => ({ ...parts, header: { ...parts.header, nonce: "x" } }), "has a nonce"],
  ["a kid inside", (parts) => ({ ...parts, header: { ...parts.header, kid: "x" } }), "has no jwk, or a kid"],
  ["no jwk inside", (parts) => ({ ...parts, header: { ...parts.header, jwk: undefined } }), "has no jwk, or a kid"],
  ["another account", (parts) => ({ ...parts, payload: { ...parts.payload, account: "x" } }), "names another account"],
  ["no old key", (parts) => ({ ...parts, payload: { ...parts.payload, oldKey: undefined } }), "oldKey is not"],
  [
    "another old key",
    (parts) => ({ ...parts, payload: { ...parts.payload, oldKey: parts.header.jwk } }),
    "oldKey is not",
  ],
  ["signed by the former key", (parts) => ({ ...parts, signer: "former" }), "signature is wrong"],
])("a change of key, %s", async (_what, spoil, refusal) => {
  const { bed, kid, former, ca } = await register();
  bed.keys.turn(accountKey);
  await withClient(bed.rotation(["b.contoso.com"]).step, async (client) => {
    const older = client.signedBy(await openAccountKey(bed.rotation([]).step, former));
    const keyChange = ca.directory.replace("directory", "keyChange");
    const { header, payload, signer } = spoil({
      header: { jwk: client.key.jwk, url: keyChange },
      payload: { account: kid, oldKey: older.key.jwk },
      signer: "new",
    });
    const inner = await (signer === "new" ? client : older).key.sign(header, payload);
    const reply = await older.post(keyChange, JSON.parse(inner), kid);
    expect([reply.status, reply.body]).toEqual(
      refusal === "" ? [200, "{}"] : [400, expect.stringContaining(refusal) as string],
    );
    if (refusal !== "") return;
    const again = await client.post(keyChange, JSON.parse(inner), kid);
    expect([again.status, again.body]).toEqual([400, expect.stringContaining("oldKey is not") as string]);
    const taken = await client.key.sign(
      { jwk: client.key.jwk, url: keyChange },
      { account: kid, oldKey: client.key.jwk },
    );
    const same = await client.post(keyChange, JSON.parse(taken), kid);
    expect([same.status, same.headers.location]).toEqual([409, kid]);
  });
});

interface Parts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signer: string;
}
