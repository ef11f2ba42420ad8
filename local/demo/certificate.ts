import { setTimeout as delay } from "node:timers/promises";
import type { Cloud } from "../cloud/cloud.ts";
import { vault } from "../cloud/scenario.ts";
import { shopCertificate, shopNames } from "../cloud/shop.ts";
import { type Handshakes, startHandshakes } from "./handshakes.ts";
import { furthest } from "./schedule.ts";
import type { Chapter, Expiring } from "./story.ts";

/** The certificate of the story: where it is served, and how the next one is had. */
export interface Shop {
  readonly tlsPort: number;
  /** Why it is not had through ACME; undefined where it is. */
  readonly notAcme: string | undefined;
}

export interface RenewedCertificate {
  readonly names: readonly string[];
  readonly issuer: string;
  /** Thumbprints as clients saw them. */
  readonly before: string;
  readonly after: string;
  readonly handshakes: number;
  readonly failedHandshakes: number;
}

interface Scene {
  readonly cloud: Cloud;
  readonly shop: Shop;
  readonly run: (chapter: Chapter) => Promise<void>;
  /** Has a version come near its end: by the clock, or, where it is there already or further off than that, by a person's start. */
  readonly nearExpiry: (id: string, kind: string, version: Expiring, furthest?: number) => Promise<void>;
  readonly say: (line: string) => void;
  readonly broken: string[];
}

/** The last part of the story: a certificate is renewed while clients keep coming. */
export async function renewCertificate({
  cloud,
  shop,
  run,
  nearExpiry,
  say,
  broken,
}: Scene): Promise<RenewedCertificate> {
  const { tlsPort, notAcme } = shop;
  const [name] = shopNames;
  const how = notAcme === undefined ? "through ACME, dns-01, from pebble" : `self-signed, since ${notAcme}`;
  say(`4. The certificate ${shopCertificate} comes within 30 days of its expiry (${how})`);
  const handshakes = startHandshakes({ port: tlsPort, name, perSecond: 50, now: cloud.clock.now });
  try {
    const before = await first(handshakes);
    await run({
      id: shopCertificate,
      expected: "rotated",
      proofs: [
        notAcme === undefined ? "the chain ends at a trusted root" : "the certificate may sign itself",
        `${name}:${tlsPort} (at 127.0.0.1) serves the certificate`,
      ],
      shows: "its endpoint is proven to serve the new one",
      async begin() {
        const { properties } = await cloud.certificates(vault).getCertificate(shopCertificate);
        await nearExpiry(shopCertificate, "Certificate", properties, furthest);
      },
    });
    await handshakes.stop();
    const { made, failed, served: after = before } = handshakes;
    const { properties } = await cloud.certificates(vault).getCertificate(shopCertificate);
    const newest = Buffer.from(properties.x509Thumbprint ?? [])
      .toString("hex")
      .toUpperCase();
    if (after.thumbprint !== newest || after.thumbprint === before.thumbprint)
      broken.push(`${name} serves ${after.thumbprint}, and the newest certificate is ${newest}`);
    if (failed > 0) broken.push(`${failed} handshakes with ${name} failed`);
    say(`  ${after.names.join(", ")}: issued by ${after.issuer}`);
    say(`  thumbprint ${before.thumbprint} before, ${after.thumbprint} now`);
    say(`  ${made} handshakes with ${name}, ${failed} failed\n`);
    return {
      names: after.names,
      issuer: after.issuer,
      before: before.thumbprint,
      after: after.thumbprint,
      handshakes: made,
      failedHandshakes: failed,
    };
  } finally {
    await handshakes.stop();
  }
}

async function first(handshakes: Handshakes) {
  for (;;) {
    if (handshakes.served !== undefined) return handshakes.served;
    if (handshakes.failed > 0) throw new Error("the shop's server does not answer");
    await delay(10);
  }
}
