import type { Clock } from "../../clock.ts";
import { createClockwork } from "../clockwork.ts";
import type { Clockwork } from "../clockwork.ts";
import { latest, lifeOf, withVersion } from "../collection.ts";
import type { Log } from "../log.ts";
import type { Vault } from "../model.ts";
import { Refusal } from "../refusal.ts";
import { newestWhole } from "./certificate.ts";
import { makeKey } from "./make-key.ts";
import type { CertificateObject, CertificateVersion } from "./model.ts";
import { begin } from "./pending.ts";
import { settleCertificates } from "./settle.ts";
import { actionAt, dueOf } from "./timing.ts";

// What certificates go through as the clock goes on: issuers answer, and lifetime actions have their turn.

/** What one look found: something whose time has come, or when it will. */
type Found = { readonly at: number; readonly run?: () => void };

/** Starts to look at the clock every `tickMs` real milliseconds. A clock that jumps over several renewals causes one. */
export function createLifecycle({ clock, tickMs, log }: { clock: Clock; tickMs: number; log: Log }): Clockwork {
  const underway = new Set<CertificateObject>();

  const tell = ({ name: vault }: Vault, action: string, { name }: CertificateObject, version: CertificateVersion) => {
    const time = new Date(clock.now()).toISOString();
    const operation = `certificate.${action}`;
    log.add({ time, vault, method: "", operation, name, version: version.id, status: 0, caller: "lifetime action" });
  };

  /** Nobody is written to, but the log says that somebody would have been. */
  const email = (vault: Vault, certificate: CertificateObject, version: CertificateVersion) => {
    const told = { ...version, emailed: true };
    vault.certificates.write({ ...certificate, versions: withVersion(certificate.versions, told) }, [told]);
    tell(vault, "emailContacts", certificate, version);
  };

  const renew = async (vault: Vault, certificate: CertificateObject, version: CertificateVersion) => {
    underway.add(certificate);
    try {
      const { policy, name } = certificate;
      const key = await makeKey(vault, certificate, policy.key_props);
      // A certificate that was changed meanwhile is looked at again.
      if (clockwork.closed() || vault.certificates.find(name) !== certificate) return;
      const now = clock.now();
      const { tags } = version;
      const due = dueOf(vault, policy, now);
      const [renewed, placeholder] = begin(certificate, name, now, {
        policy,
        key,
        due,
        tags,
        enabled: true,
        keepOrder: false,
      });
      vault.certificates.write(renewed, [placeholder]);
      tell(vault, "autoRenew", renewed, placeholder);
    } catch (error) {
      if (!clockwork.closed() && !(error instanceof Refusal))
        console.error(error instanceof Error ? error.stack : error);
    } finally {
      underway.delete(certificate);
    }
  };

  /** The actions that a certificate's newest version has ahead, or that are due. While one is made, none. */
  const actionsOf = (vault: Vault, certificate: CertificateObject): Found[] => {
    const version = newestWhole(certificate);
    if (!version?.enabled || version !== latest(certificate) || underway.has(certificate)) return [];
    const renewAt = actionAt(certificate, version, "AutoRenew");
    const emailAt = version.emailed ? Infinity : actionAt(certificate, version, "EmailContacts");
    // Nobody but people can renew what an unknown issuer made.
    const byIssuer = certificate.policy.issuer.name !== "Unknown";
    return [
      ...(byIssuer ? [{ at: renewAt, run: () => void renew(vault, certificate, version) }] : []),
      { at: emailAt, run: () => email(vault, certificate, version) },
    ];
  };

  const look = (vault: Vault, now: number): number => {
    let nextAt = Infinity;
    for (const name of vault.certificates.names()) {
      const certificate = vault.certificates.find(name);
      if (!certificate || certificate.deleted) continue;
      const live = lifeOf(certificate, now) === "live";
      const found: Found[] = live ? actionsOf(vault, certificate) : [{ at: certificate.settledAt ?? Infinity }];
      for (const { at, run } of found) {
        if (now < at) nextAt = Math.min(nextAt, at);
        else run?.();
      }
    }
    return nextAt;
  };

  const clockwork = createClockwork({
    clock,
    tickMs,
    collectionOf: ({ certificates }) => certificates,
    look,
    first: settleCertificates,
  });
  return clockwork;
}
