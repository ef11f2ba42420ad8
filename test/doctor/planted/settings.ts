import { vault } from "../../../local/cloud/scenario.ts";
import { row, state, policy, zoned, type Planted } from "./plant.ts";

export const inSettings: readonly Planted[] = [
  {
    name: "a schedule that is none",
    patient: () => ({ env: { PINION_SWEEP_SCHEDULE: "daily" } }),
    finds: { check: "settings", level: "fault", subject: /^PINION_SWEEP_SCHEDULE$/, says: /six fields/ },
  },
  {
    name: "no storage at all",
    patient: () => ({ env: { AzureWebJobsStorage: undefined } }),
    finds: { check: "settings", level: "fault", subject: /^AzureWebJobsStorage$/, says: /it is missing/ },
  },
  {
    name: "a setting that is misspelt",
    patient: () => ({ env: { PINION_POLCY: "rotations.json" } }),
    finds: { check: "settings", level: "warning", subject: /^PINION_POLCY$/, says: /nothing reads/ },
  },
  {
    name: "an account key in the settings",
    patient: ({ cloud, settings }) => ({
      env: {
        PINION_STORAGE: settings["AzureWebJobsStorage"],
        AzureWebJobsStorage: cloud.azurite.connectionString.replace(
          cloud.azurite.tableUrl,
          "https://contoso.table.core.windows.net",
        ),
      },
    }),
    finds: { check: "settings", level: "fault", subject: /^AzureWebJobsStorage$/, says: /account key/ },
  },
  {
    name: "an identity that the app does not have",
    patient: () => ({ env: { AZURE_CLIENT_ID: "99999999-0000-4000-8000-000000000001" } }),
    finds: { check: "identity", level: "fault", subject: /^99999999-/, says: /gets no token/ },
  },
  {
    name: "an identity of a trust zone that the app does not have",
    plant: zoned("99999999-0000-4000-8000-000000000002"),
    finds: { check: "identity", level: "fault", subject: /^99999999-/, says: /gets no token/ },
  },
  {
    name: "a policy that is not where the settings say",
    patient: ({ cloud }) => ({ env: { PINION_POLICY: `${cloud.azurite.blobUrl}/pinion-policy/other.json` } }),
    finds: { check: "policy", level: "fault", subject: /^policy$/, says: /could not be read/ },
  },
  {
    name: "a fault in one object of the policy",
    plant: policy(({ objects: [first, second], ...rest }) => ({
      ...rest,
      objects: [first, { ...second!, grace: "an hour" }],
    })),
    finds: { check: "policy", level: "fault", subject: /^reports-db$/, says: /objects\[1\]\.grace/ },
  },
  {
    name: "the kill switch",
    patient: () => ({ env: { PINION_STOP: "true" } }),
    finds: { check: "mode", level: "warning", subject: /^PINION_STOP$/, says: /no rotation starts/ },
  },
  {
    name: "an app that only observes",
    patient: () => ({ env: { PINION_OBSERVE: "true" } }),
    finds: { check: "mode", level: "warning", subject: /^PINION_OBSERVE$/, says: /only observed/ },
  },
  {
    name: "observe mode",
    plant: policy((given) => ({ ...given, mode: "observe" })),
    finds: { check: "mode", level: "warning", subject: /^every object$/, says: /only observed/ },
  },
  {
    name: "an object in quarantine",
    plant: state({ quarantined: true, attempts: 5, code: "TARGET_UNREACHABLE" }),
    finds: {
      check: "fleet",
      level: "warning",
      subject: /orders-db$/,
      says: /quarantined after 5 failures \(TARGET_UNREACHABLE\)/,
    },
  },
  {
    name: "an open breaker",
    plant: row("fleet", "fleet", {
      json: JSON.stringify({
        active: {},
        day: "",
        started: 0,
        failures: { [`vault:${vault}`]: { count: 3, last: "r" } },
      }),
    }),
    finds: { check: "fleet", level: "warning", subject: /^vault:kv-/, says: /breaker is open after 3/ },
  },
];
