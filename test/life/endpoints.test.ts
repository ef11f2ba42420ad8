import { afterEach, beforeEach, expect, test } from "vitest";
import { openMail, toPem } from "./edge.ts";
import { certificateVersions, firstCertificate, names } from "./first.ts";
import { live } from "./live.ts";
import { openObject, openWorld, type World } from "./world.ts";

// An endpoint is believed by its handshake only, whatever its machine says of itself.

let world: World;
beforeEach(async () => void (world = await openWorld()));
afterEach(async () => await world.close());

/** A certificate that a mail server has, and the same server as its endpoints. */
async function openOne(name: string) {
  const source = await firstCertificate(world, name, true, "application/x-pem-file");
  const mail = await openMail({ world, name, source, onCall: () => {} });
  const [imaps = 0, smtp = 0] = mail.ports;
  const object = openObject(world, {
    name,
    object: {
      kind: "certificate",
      certificate: { names, contentType: "application/x-pem-file" },
      rotator: { kind: "certificate-self-signed", strategy: "dual", target: {} },
      consumers: [mail.consumer],
      endpoints: [
        { host: "127.0.0.1", port: imaps, serverName: "www.contoso.com" },
        { host: "127.0.0.1", port: smtp, serverName: "www.contoso.com", starttls: "smtp" },
      ],
    },
  });
  const pemOf = async (version: string) => toPem((await world.secrets.getSecret(name, { version })).value ?? "");
  return { source, mail, object, pemOf };
}

const enabledOf = async (name: string) => (await certificateVersions(world, name)).map(({ enabled }) => enabled);

test("one that serves the former certificate again in the grace: the former version stays, until that is put right", async () => {
  const name = "went-back";
  const { source, mail, object, pemOf } = await openOne(name);
  let looks = 0;
  const lived = await live(world, object, source, {
    async meanwhile({ step, fault }) {
      // Its receiver says what it was told, and finds that at the port that it knows.
      if (step === "grace") mail.smtp.install(await pemOf(source));
      if (step !== "held") return false;
      expect(fault?.code).toBe("CONSUMER_NOT_MOVED");
      expect(mail.installed()).not.toBe(source);
      expect(await enabledOf(name)).toEqual([true, true]);
      looks += 1;
      if (looks === 2) mail.smtp.install(await pemOf(mail.installed()));
      return false;
    },
  });
  expect([lived.outcome, looks]).toEqual(["rotated", 2]);
  expect(await enabledOf(name)).toEqual([true, false]);
});

test("one that never serves the new certificate: the rotation is turned back, and the consumer with it", async () => {
  const name = "stays";
  const { source, mail, object } = await openOne(name);
  mail.smtp.install = () => {};
  const lived = await live(world, object, source);
  expect([lived.outcome, lived.fault?.code]).toEqual(["rolled-back", "CONSUMER_NOT_MOVED"]);
  expect(mail.installed()).toBe(source);
  const newest = await world.certificates.getCertificate(name);
  expect(newest.properties.tags).toMatchObject({ "pinion-rollback-of": source });
});
