import { expect, test } from "vitest";
import { at, ofType, type Resource, type Snapshot } from "./harness/arm.ts";
import { describeBicep, useInfra } from "./harness/promise.ts";
import { columnsOf, faultsIn, missing } from "./kusto.ts";

const workspaceId = "/subscriptions/x/resourceGroups/y/providers/Microsoft.OperationalInsights/workspaces/log-z";
const shared = {
  prefix: "acme-pinion-dev-weu",
  location: "westeurope",
  workspaceId,
  functionAppName: "func-acme",
  identityIds: ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"],
  knownReaderIds: ["33333333-3333-3333-3333-333333333333"],
};
const params = { ...shared, storageAccountName: "stacme" };

/** Minutes of the durations that a rule of Azure Monitor may have. */
const minutes: Readonly<Record<string, number>> = {
  PT15M: 15,
  PT30M: 30,
  PT1H: 60,
  PT3H: 180,
  PT6H: 360,
  P1D: 1440,
  P2D: 2880,
};

interface Criterion {
  readonly query: string;
  readonly timeAggregation: string;
  readonly metricMeasureColumn: string | null;
  readonly threshold: number | null;
  readonly alertSensitivity: string | null;
  readonly criterionType: string;
  readonly dimensions: readonly { readonly name: string }[];
}

describeBicep("the alert rules", () => {
  const bed = useInfra();
  const predict = (more: object = {}): Promise<Snapshot> =>
    bed.own.predict({ template: "infra/modules/alerts.bicep", params: { ...params, ...more } });
  const rulesOf = async (more: object = {}) =>
    ofType((await predict(more)).resources, "Microsoft.Insights/scheduledQueryRules").map((rule) => ({
      rule,
      name: rule.name.replace(/^alert-acme-pinion-dev-weu-/, ""),
      criterion: at(rule, "properties", "criteria", "allOf", 0) as Criterion,
    }));

  test("each is for one of the things that users must hear of", async () => {
    const names = (await rulesOf()).map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "rotation-failed",
        "rotation-stuck",
        "object-overdue",
        "dead-letters",
        "poison-messages",
        "vault-forbidden",
        "vault-throttled",
        "unusual-reads",
        "app-silent",
        "sweep-blind",
      ]),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  test("each has times that Azure takes, and looks as far as its query", async () => {
    for (const { rule, criterion } of await rulesOf()) {
      const [every, window] = ["evaluationFrequency", "windowSize"].map((key) => at(rule, "properties", key) as string);
      const back = at(rule, "properties", "overrideQueryTimeRange") as string | null;
      expect(Object.keys(minutes)).toEqual(expect.arrayContaining([every, window]));
      expect(minutes[every!]).toBeLessThanOrEqual(minutes[window!]!);
      // `ago` shortens what Azure gives the query, and never adds to it.
      if (/\bago\(/.test(criterion.query)) expect([rule.name, back]).toEqual([rule.name, "P2D"]);
    }
  });

  test("each asks the workspace, with everything in braces filled in", async () => {
    for (const { rule, criterion } of await rulesOf({ stuckAfterHours: 9 })) {
      expect(at(rule, "properties", "scopes")).toEqual([workspaceId]);
      expect(criterion.query).not.toMatch(/\{[a-zA-Z]+\}/);
    }
    const said = async (name: string) =>
      (await rulesOf({ stuckAfterHours: 9 })).find((one) => one.name === name)!.criterion.query;
    expect(await said("rotation-failed")).toContain("'func-acme'");
    expect(await said("rotation-stuck")).toContain("until - since > 9h");
    expect(await said("dead-letters")).toContain("'/stacme/dead-letters/'");
    for (const id of [...shared.identityIds, ...shared.knownReaderIds])
      expect(await said("unusual-reads")).toContain(id);
  });

  // An object that is not due costs one call in each sweep: the smallest vault is refused once an hour.
  test("a vault that refuses one call in each of two sweeps is enough", async () => {
    const { rule, criterion } = (await rulesOf()).find(({ name }) => name === "vault-forbidden")!;
    expect([criterion.timeAggregation, criterion.threshold]).toEqual(["Count", 0]);
    expect(minutes[at(rule, "properties", "windowSize") as string]).toBeGreaterThanOrEqual(120);
    expect(criterion.query).not.toMatch(/calls >/);
    const [, apart] = /lastAt - firstAt >= (\d+)m$/m.exec(criterion.query)!;
    expect(Number(apart)).toBeLessThan(60);
  });

  test("a blind sweep is told of while it is the last one", async () => {
    const { rule, criterion } = (await rulesOf()).find(({ name }) => name === "sweep-blind")!;
    expect([criterion.timeAggregation, criterion.threshold, at(rule, "properties", "severity")]).toEqual([
      "Count",
      0,
      1,
    ]);
    expect(minutes[at(rule, "properties", "windowSize") as string]).toBeGreaterThanOrEqual(120);
    expect(criterion.query).toContain("arg_max(TimeGenerated, facts)");
  });

  test("each has a fixed threshold or a learned one", async () => {
    for (const { criterion } of await rulesOf()) {
      const learned = criterion.criterionType === "DynamicThresholdCriterion";
      expect([criterion.threshold === null, criterion.alertSensitivity === null]).toEqual([learned, !learned]);
    }
  });

  test("people and their tools are called, and nobody where nobody is named", async () => {
    const others = [`${workspaceId}/other`];
    const called = (resource: Resource) => at(resource, "properties", "actions", "actionGroups");
    const snapshot = await predict({ emails: ["ops@example.com"], actionGroupIds: others });
    const [group] = ofType(snapshot.resources, "Microsoft.Insights/actionGroups");
    expect(at(group, "properties", "emailReceivers", 0, "emailAddress")).toBe("ops@example.com");
    for (const rule of ofType(snapshot.resources, "Microsoft.Insights/scheduledQueryRules"))
      expect(called(rule)).toEqual([group!.id, ...others]);
    const quiet = await predict();
    expect(ofType(quiet.resources, "Microsoft.Insights/actionGroups")).toEqual([]);
    expect(quiet.outputs).toEqual({ actionGroupIds: [] });
  });

  test("the health check is watched where the plan has one", async () => {
    const rule = async (more: object) => ofType((await predict(more)).resources, "Microsoft.Insights/metricAlerts");
    expect(await rule({})).toEqual([]);
    expect((await rule({ healthCheckedAppId: "/app" })).map((one) => at(one, "properties", "scopes"))).toEqual([
      ["/app"],
    ]);
  });

  test("with Sentinel an unusual read is an incident, of fourteen days, and no alert", async () => {
    const sentinelWorkspaceId = workspaceId.replace("/x/", "/00000000-0000-0000-0000-0000000000cc/");
    expect((await rulesOf({ sentinelWorkspaceId })).map(({ name }) => name)).not.toContain("unusual-reads");
    const { resources } = await predict({ sentinelWorkspaceId });
    const [incident] = ofType(resources, "Microsoft.SecurityInsights/alertRules");
    expect(incident?.id).toContain(sentinelWorkspaceId);
    expect(at(incident, "properties", "queryPeriod")).toBe("P14D");
    expect(at(incident, "properties", "query")).toContain("ago(14d)");
    expect(at(incident, "properties", "query")).not.toMatch(/\{[a-zA-Z]+\}/);
  });

  test.each([
    ["no identity of the app", { identityIds: [] }, /too short/],
    ["a time that Azure would not look back", { stuckAfterHours: 48 }, /stuckAfterHours|36/],
    ["a silence that is none of the allowed", { silentAfter: "PT1H" }, /silentAfter|PT3H/],
  ])("refuse %s", async (_, more, says) => {
    await expect(predict(more)).rejects.toThrow(says);
  });

  test.skipIf(missing)("each splits by columns that its query gives, as texts, and adds up a number", async () => {
    for (const { name, criterion } of await rulesOf()) {
      expect([name, faultsIn(criterion.query)]).toEqual([name, []]);
      const columns = columnsOf(criterion.query);
      for (const { name: column } of criterion.dimensions)
        expect([name, column, columns[column]]).toEqual([name, column, "string"]);
      const measure = criterion.metricMeasureColumn;
      expect(criterion.timeAggregation).toBe(measure === null ? "Count" : "Total");
      if (measure !== null) expect([name, columns[measure]]).toEqual([name, "long"]);
    }
  });
});

describeBicep("the alerts beside a system topic", () => {
  const bed = useInfra();

  test("are for what Event Grid gave up on, kept or lost", async () => {
    const { resources } = await bed.own.predict({
      template: "infra/modules/event-alerts.bicep",
      params: { systemTopicName: "egst-kv-acme", subscriptionName: "func-acme", actionGroupIds: ["/group"] },
    });
    const rules = ofType(resources, "Microsoft.Insights/metricAlerts");
    const metrics = rules.map((rule) => at(rule, "properties", "criteria", "allOf", 0, "metricName"));
    expect(metrics).toEqual(["DeadLetteredCount", "DroppedEventCount"]);
    for (const rule of rules) {
      expect(at(rule, "properties", "scopes", 0)).toMatch(/systemTopics\/egst-kv-acme$/);
      expect(at(rule, "properties", "actions")).toEqual([{ actionGroupId: "/group" }]);
    }
  });
});

interface Chart {
  readonly xAxis: string;
  readonly yAxis: readonly string[];
  readonly group: string;
}

describeBicep("the workbook", () => {
  const bed = useInfra();
  const made = async () => {
    const { resources } = await bed.own.predict({ template: "infra/modules/workbook.bicep", params: shared });
    const [workbook] = ofType(resources, "Microsoft.Insights/workbooks");
    const data = JSON.parse(at(workbook, "properties", "serializedData") as string) as {
      readonly fallbackResourceIds: readonly string[];
      readonly items: readonly {
        readonly type: number;
        readonly content: { readonly query: string; readonly title: string; readonly chartSettings?: Chart };
      }[];
    };
    return { workbook, data, shown: data.items.filter(({ type }) => type === 3).map(({ content }) => content) };
  };

  test("has the text of every query, filled in, and reads the workspace", async () => {
    const { workbook, data, shown } = await made();
    expect(workbook?.name).toMatch(/^[0-9a-f-]{36}$/);
    expect(at(workbook, "properties", "sourceId")).toBe(workspaceId);
    expect(data.fallbackResourceIds).toEqual([workspaceId]);
    expect(shown.length).toBeGreaterThan(9);
    for (const { query } of shown) {
      expect(query).toMatch(/^\/\/ /);
      expect(query).not.toMatch(/\{[a-zA-Z]+\}/);
    }
    expect(shown.map(({ query }) => query).join("\n")).toContain("ago(14d)");
  });

  test.skipIf(missing)("draws what its queries give", async () => {
    for (const { title, query, chartSettings } of (await made()).shown) {
      expect([title, faultsIn(query)]).toEqual([title, []]);
      if (chartSettings === undefined) continue;
      const { xAxis, yAxis, group } = chartSettings;
      expect(Object.keys(columnsOf(query))).toEqual(expect.arrayContaining([xAxis, group, ...yAxis]));
    }
  });
});

describeBicep("where logs go", () => {
  const bed = useInfra();
  const predict = async (more: object) =>
    (
      await bed.own.predict({
        template: "infra/modules/monitoring.bicep",
        params: { prefix: shared.prefix, location: shared.location, ...more },
      })
    ).resources;

  test("takes no key", async () => {
    const resources = await predict({});
    const [workspace] = ofType(resources, "Microsoft.OperationalInsights/workspaces");
    const [insights] = ofType(resources, "Microsoft.Insights/components");
    expect(at(workspace, "properties", "features", "disableLocalAuth")).toBe(true);
    expect(at(insights, "properties", "DisableLocalAuth")).toBe(true);
    expect(at(insights, "properties", "WorkspaceResourceId")).toBe(workspace!.id);
  });

  test("may be a workspace that exists", async () => {
    const resources = await predict({ existingWorkspaceId: workspaceId });
    expect(resources.map(({ type }) => type)).toEqual(["Microsoft.Insights/components"]);
    expect(at(resources[0], "properties", "WorkspaceResourceId")).toBe(workspaceId);
  });

  test.each([
    ["vault", { vaultName: "kv-acme" }, "Dedicated"],
    ["function-app", { functionAppName: "func-acme" }, undefined],
    ["storage", { storageAccountName: "stacme" }, undefined],
  ])("is told by the diagnostics of the %s, and an event hub too where it is named", async (kind, params, tables) => {
    const template = `infra/modules/${kind}-diagnostics.bicep`;
    const eventHub = { authorizationRuleId: "/rule", name: "siem" };
    const { resources } = await bed.own.predict({
      template,
      params: {
        ...params,
        workspaceId,
        ...(kind === "vault" ? { workspaceName: "log-acme" } : {}),
        eventHub,
      },
    });
    const settings = ofType(resources, "Microsoft.Insights/diagnosticSettings");
    expect(settings).toHaveLength(kind === "storage" ? 4 : 1);
    for (const one of settings)
      expect(one.properties).toMatchObject({
        workspaceId,
        eventHubAuthorizationRuleId: "/rule",
        eventHubName: "siem",
      });
    const logged = settings.filter((one) => at(one, "properties", "logs", 0, "categoryGroup") === "allLogs");
    expect(logged).toHaveLength(kind === "storage" ? 3 : 1);
    expect(at(settings[0], "properties", "logAnalyticsDestinationType")).toBe(tables);
  });
});
