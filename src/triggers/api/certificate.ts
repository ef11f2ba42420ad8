import type { X509Certificate } from "node:crypto";
import { z } from "zod";
import { stepBeside } from "../../activities/beside.ts";
import { certificateOf, chainNote, noteOfChain } from "../../activities/certificate-slot.ts";
import type { Subject } from "../../activities/deps.ts";
import { PinionError } from "../../errors.ts";
import type { Operation } from "../../vault/certificate-operations.ts";
import type { ObjectState } from "../../store/types.ts";
import { giveCommand } from "../give-command.ts";
import { readBody, reasonText, rotationIdText } from "./body.ts";
import { readChain, requireIssuers, requireRoom, requireWanted, requireWindow } from "./chain.ts";
import { json } from "./problem.ts";
import { type ApiHandler, type Call, subjectOf } from "./route.ts";

const perCall = 20_000;

/**
 * `GET /api/rotations/{id}/request`: the PKCS #10 request (PEM) that waits for its certificate, with the rotation it belongs to. 404
 * where nothing waits.
 */
export const request: ApiHandler = async (call) => {
  const subject = await subjectOf(call);
  const { operation, rotationId } = await waiting(call, subject);
  const base64 = Buffer.from(operation.csr).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  const pem = ["-----BEGIN CERTIFICATE REQUEST-----", ...lines, "-----END CERTIFICATE REQUEST-----", ""].join("\n");
  const { name } = certificateOf(subject);
  const { uri } = subject.madeIn === "object" ? subject.vault : subject.staging;
  return json(200, {
    id: subject.object.id,
    rotationId,
    requestId: operation.requestId,
    // Where it can be merged as well, by whoever may: `az keyvault certificate pending merge`.
    certificate: `${uri}/certificates/${name}`,
    request: pem,
  });
};

const body = z.strictObject({
  rotationId: rotationIdText,
  chain: z.string().max(200_000).describe("PEM: the leaf first, then its issuers."),
  reason: reasonText.optional(),
  change: reasonText.optional(),
});

/**
 * `POST /api/rotations/{id}/certificate`: a person brings the certificate for the request that waits. It is checked against the policy
 * first, since in the object itself readers of the newest version get it with the merge; then recorded as a command and merged, and the
 * rotation goes on to prove it in full. 400 for a chain that is none or not as the policy wants it, 409 for one of another key or outside
 * the window of such readers.
 */
export const merge: ApiHandler = async (call) => {
  const subject = await subjectOf(call);
  const { rotationId, chain, reason, change } = await readBody(call.request, body);
  const certificates = readChain(chain);
  const { operation, rotationId: waits, state } = await waiting(call, subject);
  if (waits !== rotationId)
    throw new PinionError("NOT_FOUND", `Nothing waits for a certificate in rotation ${rotationId}.`);
  if (!(await fits(operation, certificates))) {
    throw new PinionError(
      "CONFLICT",
      "The first certificate is not for the key of the request: GET .../request gives the one that waits now.",
    );
  }
  requireIssuers(certificates);
  const chainBytes = certificates.map(({ raw }) => new Uint8Array(raw));
  const step = await stepBeside(call.deps, subject, rotationId, AbortSignal.timeout(perCall));
  requireRoom(state, rotationId, chainBytes);
  requireWindow(subject, state, call.deps.now());
  await requireWanted(subject, step, chainBytes);
  await giveCommand(call.deps, call.engine, subject, { verb: "merge", rotationId, actor: call.actor, reason, change });
  const { operations, name } = certificateOf(subject);
  await step.notes.write(chainNote, noteOfChain(rotationId, chainBytes));
  await operations.merge(name, chainBytes, AbortSignal.timeout(perCall));
  await call.engine.wake(subject.key);
  return json(202, { id: subject.object.id, rotationId, command: "merge" });
};

type Waiting = Operation & { readonly csr: Uint8Array };

async function waiting(
  { deps }: Call,
  subject: Subject,
): Promise<{ operation: Waiting; rotationId: string; state: ObjectState }> {
  const { state } = await deps.records.read(subject.key);
  const { phase, rotationId = "" } = state.value;
  const nothing = new PinionError("NOT_FOUND", `${subject.object.id} waits for no certificate.`);
  if (subject.object.kind !== "certificate" || phase !== "running") throw nothing;
  const { operations, name } = certificateOf(subject);
  const operation = await operations.operation(name, AbortSignal.timeout(perCall));
  const { csr, status } = operation ?? {};
  if (operation === undefined || csr === undefined || status !== "inProgress") throw nothing;
  return { operation: { ...operation, csr }, rotationId, state: state.value };
}

/** Whether the leaf is for the key of the request: its public key stands in the request, byte for byte. */
async function fits({ csr }: Waiting, [leaf]: readonly X509Certificate[]): Promise<boolean> {
  const { keyOfRequest } = await import("../../certificates/request.ts");
  const found = leaf?.publicKey.export({ type: "spki", format: "der" });
  return found?.equals(keyOfRequest(csr)) === true;
}
