import { z } from "zod";

// Azure Pipelines, as much of it as ours use: a key that is not here is a slip, or wants a line here first.

const name = z.string().regex(/^\w+$/);
const inserted = z.string().regex(/^\$\{\{ parameters\.\w+ \}\}$/);
const whole = z.int().min(1);

const inline = z.strictObject({
  azureSubscription: z.string().regex(/^pinion-\$\{\{ parameters\.environment \}\}$/),
  scriptType: z.literal("bash"),
  scriptLocation: z.literal("inlineScript"),
  inlineScript: z.string(),
});
const titled = { displayName: z.string() };

const step = z.union([
  z.strictObject({ checkout: z.literal("self"), persistCredentials: z.literal(false) }),
  z.strictObject({ bash: z.string(), ...titled }),
  z.strictObject({ publish: z.string(), artifact: name }),
  z.strictObject({ download: z.literal("current"), artifact: name }),
  z.strictObject({ task: z.literal("UseNode@1"), ...titled, inputs: z.strictObject({ version: z.string() }) }),
  z.strictObject({
    task: z.literal("UseDotNet@2"),
    ...titled,
    inputs: z.strictObject({ packageType: z.literal("sdk"), version: z.string() }),
  }),
  z.strictObject({ task: z.literal("setup-azd@1"), ...titled }),
  z.strictObject({ task: z.literal("AzureCLI@2"), ...titled, inputs: inline }),
]);

const hosted = z.strictObject({ vmImage: z.literal("ubuntu-24.04") });
const pool = z.union([
  hosted,
  // Chosen when the pipeline is compiled: the key is a condition.
  z.strictObject({
    "${{ if eq(parameters.pool, ' ') }}": hosted,
    "${{ else }}": z.strictObject({ name: inserted }),
  }),
]);

const job = z.strictObject({
  job: name,
  timeoutInMinutes: whole,
  pool,
  container: z.strictObject({ image: z.string(), options: z.string() }).optional(),
  steps: z.array(step).min(1),
});
const deployment = z.strictObject({
  deployment: name,
  ...titled,
  timeoutInMinutes: whole,
  environment: z.string(),
  pool,
  strategy: z.strictObject({ runOnce: z.strictObject({ deploy: z.strictObject({ steps: z.array(step).min(1) }) }) }),
});

const variable = z.union([
  z.strictObject({ group: z.string() }),
  z.strictObject({ name: z.string().regex(/^[A-Z_]+$/), value: z.string() }),
]);
const stage = z.strictObject({
  stage: z.union([name, inserted]),
  ...titled,
  dependsOn: z.union([name, inserted]).optional(),
  condition: z.string().optional(),
  variables: z.array(variable).optional(),
  jobs: z.array(z.union([job, deployment])).min(1),
});
const included = z.strictObject({ template: z.string(), parameters: z.record(name, z.string()) });
const parameter = z.strictObject({
  name,
  displayName: z.string().optional(),
  type: z.literal("string"),
  values: z.array(z.string()).optional(),
  default: z.string().optional(),
});

/** `azure-pipelines.yml`. */
export const pipelineSchema = z.strictObject({
  trigger: z.strictObject({ branches: z.strictObject({ include: z.array(z.string()).min(1) }) }),
  pr: z.literal("none"),
  parameters: z.array(parameter),
  stages: z.array(z.union([stage, included])).min(1),
});

/** A template of stages. */
export const templateSchema = z.strictObject({ parameters: z.array(parameter), stages: z.array(stage).min(1) });

export type Stage = z.output<typeof stage>;
export type Step = z.output<typeof step>;
