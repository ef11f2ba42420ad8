import { appId, storageId, subnetId } from "../../../local/cloud/shown.ts";
import type { Engine } from "../../../src/triggers/engine.ts";
import {
  vaultId,
  auth,
  host,
  withProperties,
  tabled,
  row,
  state,
  noContainer,
  idle,
  hostJson,
  entra,
  shut,
  endpoint,
  never,
  running,
  type Planted,
} from "./plant.ts";

export const inPlatform: readonly Planted[] = [
  {
    name: "no table",
    async plant(clinic) {
      await tabled(clinic).deleteTable();
      return () => tabled(clinic).createTable();
    },
    finds: { check: "storage", level: "fault", subject: /^table PinionRecords$/, says: /is not in devstoreaccount1/ },
  },
  {
    name: "no container of leases",
    plant: noContainer("pinion-leases"),
    finds: {
      check: "storage",
      level: "fault",
      subject: /^container pinion-leases$/,
      says: /is not in devstoreaccount1/,
    },
  },
  {
    name: "shared keys",
    plant: withProperties(storageId, { allowSharedKeyAccess: true }),
    finds: { check: "storage-account", level: "fault", subject: /^devstoreaccount1$/, says: /takes account keys/ },
  },
  {
    name: "public blobs",
    plant: withProperties(storageId, { allowBlobPublicAccess: true }),
    finds: { check: "storage-account", level: "warning", subject: /^devstoreaccount1$/, says: /be public/ },
  },
  {
    name: "no container of evidence",
    plant: noContainer("pinion-evidence"),
    finds: {
      check: "evidence",
      level: "fault",
      subject: /^container pinion-evidence$/,
      says: /is not in devstoreaccount1/,
    },
  },
  {
    name: "evidence that can be deleted",
    plant: withProperties(storageId, { immutableStorageWithVersioning: undefined }),
    finds: {
      check: "evidence",
      level: "warning",
      subject: /^container pinion-evidence$/,
      says: /no immutability policy/,
    },
  },
  {
    name: "storage that is shut without a private endpoint",
    plant: withProperties(storageId, shut),
    finds: { check: "private-endpoint", level: "fault", subject: /^devstoreaccount1$/, says: /no private endpoint/ },
  },
  {
    name: "a private endpoint that nobody approved",
    plant: withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Pending") }),
    finds: { check: "private-endpoint", level: "fault", subject: host, says: /is Pending/ },
  },
  {
    name: "a vault's name that leads to the public",
    plant: withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Approved") }),
    patient: () => ({ addresses: async () => ["20.61.99.68"] }),
    finds: { check: "private-dns", level: "fault", subject: /^127\.0\.0\.1$/, says: /public address 20\.61\.99\.68/ },
  },
  {
    name: "a vault's name that leads nowhere",
    plant: withProperties(vaultId, { ...shut, privateEndpointConnections: endpoint("Approved") }),
    patient: () => ({ addresses: async () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })) }),
    finds: { check: "private-dns", level: "fault", subject: /^127\.0\.0\.1$/, says: /does not resolve \(ENOTFOUND\)/ },
  },
  {
    name: "a subnet that is delegated to another plan",
    plant(clinic) {
      const backs = [
        withProperties(appId, { virtualNetworkSubnetId: subnetId })(clinic),
        withProperties(subnetId, { delegations: [{ properties: { serviceName: "Microsoft.Web/serverFarms" } }] })(
          clinic,
        ),
      ];
      return () => backs.forEach((back) => back());
    },
    finds: { check: "subnet", level: "fault", subject: /^app$/, says: /delegated to Microsoft\.Web\/serverFarms/ },
  },
  {
    name: "no authentication",
    plant: withProperties(auth, { platform: { enabled: false } }),
    patient: () => ({ env: { ...entra, WEBSITE_AUTH_ENABLED: undefined } }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /no App Service authentication/ },
  },
  {
    name: "authentication that the app does not know of",
    patient: () => ({ env: { ...entra, WEBSITE_AUTH_ENABLED: undefined } }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /the app does not know it/ },
  },
  {
    name: "authentication that lets strangers through",
    plant: withProperties(auth, {
      globalValidation: { requireAuthentication: false, unauthenticatedClientAction: "AllowAnonymous" },
    }),
    patient: () => ({ env: entra }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /without authentication/ },
  },
  {
    name: "too many excluded paths",
    plant: withProperties(auth, {
      globalValidation: {
        requireAuthentication: true,
        unauthenticatedClientAction: "Return401",
        excludedPaths: ["/api/jwks/*", "/api/*"],
      },
    }),
    patient: () => ({ env: entra }),
    finds: { check: "authentication", level: "fault", subject: /function app/, says: /excludes \/api\/\* from/ },
  },
  {
    name: "no default version",
    patient: hostJson({ hubName: "PinionHub" }),
    finds: { check: "durable", level: "fault", subject: /^host\.json$/, says: /no defaultVersion/ },
  },
  {
    name: "a task hub whose name is nowhere",
    patient: hostJson({ hubName: "%TASKHUB_NAME%", defaultVersion: "1.0" }),
    finds: {
      check: "durable",
      level: "fault",
      subject: /^host\.json$/,
      says: /%TASKHUB_NAME%, and there is no such setting/,
    },
  },
  {
    name: "inputs in traces",
    patient: hostJson({ hubName: "PinionHub", defaultVersion: "1.0", tracing: { traceInputsAndOutputs: true } }),
    finds: { check: "durable", level: "warning", subject: /^host\.json$/, says: /into traces/ },
  },
  {
    name: "a scheduler that nobody named",
    patient: hostJson({ hubName: "PinionHub", defaultVersion: "1.0", storageProvider: { type: "azureManaged" } }),
    finds: {
      check: "durable",
      level: "fault",
      subject: /^DURABLE_TASK_SCHEDULER_CONNECTION_STRING$/,
      says: /names no endpoint/,
    },
  },
  {
    name: "an engine that does not answer",
    patient: () => ({ engine: { running: never } as unknown as Engine }),
    finds: { check: "durable", level: "fault", subject: /^the durable engine$/, says: /does not answer/ },
  },
  {
    name: "a rotation that nothing runs",
    plant: state({ phase: "running", rotationId: "r-1" }),
    patient: () => ({ engine: idle }),
    finds: {
      check: "stuck",
      level: "fault",
      subject: /orders-db$/,
      says: /rotation r-1 is running by its record, and nothing runs it/,
    },
  },
  {
    name: "a rotation whose step hangs",
    plant: state({ phase: "running", rotationId: "r-1" }),
    patient: (clinic) => running(clinic, { step: "cutover", since: -40 }),
    finds: {
      check: "stuck",
      level: "warning",
      subject: /orders-db$/,
      says: /rotation r-1 began cutover at .*not ended/,
    },
  },
  {
    name: "a rotation whose timer does not come",
    plant: state({ phase: "grace", rotationId: "r-1" }),
    patient: (clinic) => running(clinic, { step: "grace", since: -90, until: -40 }),
    finds: { check: "stuck", level: "warning", subject: /orders-db$/, says: /rotation r-1 was to go on at .*did not/ },
  },
  {
    name: "a rotation whose step keeps failing",
    plant: state({ phase: "running", rotationId: "r-1" }),
    patient: (clinic) => running(clinic, { step: "retry", since: -5, until: 15, code: "STORAGE_UNAVAILABLE" }),
    finds: {
      check: "stuck",
      level: "warning",
      subject: /orders-db$/,
      says: /rotation r-1 has a step that keeps failing \(STORAGE_UNAVAILABLE\)/,
    },
  },
  {
    name: "a sweep that does not come",
    plant: (clinic) =>
      row("fleet", "sweep", { at: new Date(clinic.cloud.clock.now() - 3 * 3_600_000).toISOString() })(clinic),
    finds: { check: "sweep", level: "fault", subject: /^sweep$/, says: /was due .* and last ran/ },
  },
];
