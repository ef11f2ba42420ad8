import type { ChallengeRecord } from "../../rotators/shared/dns/provider.ts";
import type { Publisher } from "../../rotators/shared/challenge.ts";
import type { Life } from "./life.ts";

/** TXT records in memory. */
export interface Zone extends Publisher {
  visible: Publisher["visible"];
  lookup(name: string): readonly string[];
  /** Every value that is there now. */
  left(): readonly ChallengeRecord[];
  /** Whether values are seen by those who ask, and what calls throw; for tests to change. */
  hidden: boolean;
  fault: Error | undefined;
}

export function createZone(life: Life): Zone {
  const records = new Map<string, ChallengeRecord>();
  const keyOf = ({ name, value }: ChallengeRecord) => `${name} ${value}`;
  const guard = () => {
    if (zone.fault) throw zone.fault;
  };
  const zone: Zone = {
    type: "dns-01",
    hidden: false,
    fault: undefined,
    publish: async (record) =>
      await life.outside("publish", () => {
        guard();
        records.set(keyOf(record), record);
      }),
    withdraw: async (record) =>
      await life.outside("withdraw", () => {
        guard();
        records.delete(keyOf(record));
      }),
    visible: async (record) =>
      await life.outside("visible", () => ({
        everywhere: !zone.hidden && records.has(keyOf(record)),
        detail: zone.hidden ? "1 of 2 servers shows it; ns2.contoso.com does not." : "asked",
      })),
    lookup: (name) => [...records.values()].filter((one) => one.name === name).map(({ value }) => value),
    left: () => [...records.values()],
  };
  return zone;
}
