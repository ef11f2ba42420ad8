import { PinionError } from "../errors.ts";
import type { Proof } from "../rotator.ts";
import { demand } from "./credentials.ts";
import type { Scene } from "./step.ts";

/** Proves that every endpoint of the policy serves a version's certificate, by a handshake with each. `CONSUMER_NOT_MOVED` (transient) until it does. */
export async function proveEndpoints({ subject, signal }: Scene, version: string): Promise<readonly Proof[]> {
  const { object, vault } = subject;
  if (object.endpoints.length === 0) return [];
  const { leaf } = await subject.zone.ports.certificate(vault.url(object.name, version));
  // X.509 and TLS are loaded with the first endpoint.
  const { proveEndpoint } = await import("../certificates/handshake.ts");
  const { createHash } = await import("node:crypto");
  const sha256 = createHash("sha256").update(leaf).digest("hex");
  const proofs = await Promise.all(object.endpoints.map((endpoint) => proveEndpoint(endpoint, sha256, { signal })));
  return demand(
    proofs,
    ({ name, detail }) =>
      new PinionError("CONSUMER_NOT_MOVED", `Not proven: ${name} (${detail ?? "no detail"}).`, { class: "transient" }),
  );
}
