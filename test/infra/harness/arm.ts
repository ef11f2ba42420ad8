// ARM templates as data, and walks over them.

/** A resource, of a template (then texts in brackets are expressions) or of a snapshot (then most are values). */
export interface Resource {
  readonly id?: string;
  readonly type: string;
  readonly name: string;
  readonly apiVersion?: string;
  readonly scope?: string;
  readonly location?: string;
  readonly kind?: string;
  readonly existing?: boolean;
  readonly condition?: unknown;
  readonly identity?: {
    readonly type: string;
    readonly userAssignedIdentities?: Readonly<Record<string, unknown>>;
  };
  readonly tags?: Readonly<Record<string, string>>;
  readonly properties?: Readonly<Record<string, unknown>>;
}

export interface Parameter {
  readonly type?: string;
  readonly $ref?: string;
  readonly defaultValue?: unknown;
  readonly metadata?: { readonly description?: string };
}

export interface Template {
  readonly $schema: string;
  readonly parameters?: Readonly<Record<string, Parameter>>;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly definitions?: Readonly<Record<string, unknown>>;
  /** By symbolic name where the template uses user-defined types or existing resources, else a list. */
  readonly resources: readonly Resource[] | Readonly<Record<string, Resource>>;
  readonly outputs?: Readonly<
    Record<string, { readonly type?: string; readonly $ref?: string; readonly value?: unknown }>
  >;
}

/** What the compiler predicts of a deployment. What only Azure knows stays an expression in brackets. */
export interface Snapshot {
  readonly resources: readonly Resource[];
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly notes: readonly unknown[];
}

/** The template and those of all its modules, with the names of the modules on the way. */
export function templatesIn(
  template: Template,
  path = "main",
): { readonly path: string; readonly template: Template }[] {
  const inner = Object.entries(template.resources).flatMap(([name, resource]) => {
    const nested = resource.properties?.["template"] as Template | undefined;
    return resource.type === "Microsoft.Resources/deployments" && nested ? templatesIn(nested, `${path}/${name}`) : [];
  });
  return [{ path, template }, ...inner];
}

/** The resources of the template and of all its modules, but the modules themselves and what exists already. */
export function resourcesIn(template: Template): { readonly path: string; readonly resource: Resource }[] {
  return templatesIn(template).flatMap(({ path, template: one }) =>
    Object.entries(one.resources)
      .filter(([, resource]) => resource.type !== "Microsoft.Resources/deployments" && resource.existing !== true)
      .map(([name, resource]) => ({ path: `${path}/${name}`, resource })),
  );
}

/** Every text in a value, keys of objects too, with the way to it. */
export function textsIn(value: unknown, path = ""): { readonly path: string; readonly text: string }[] {
  if (typeof value === "string") return [{ path, text: value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [
    ...(Array.isArray(value) ? [] : [{ path: `${path}/${key} (name)`, text: key }]),
    ...textsIn(one, `${path}/${key}`),
  ]);
}

/** Resources of a type, whatever its case. */
export const ofType = (resources: readonly Resource[], type: string): Resource[] =>
  resources.filter((one) => one.type.toLowerCase() === type.toLowerCase());

/** The value at a path of property names; undefined where it ends early. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((seen, key) => (seen as Record<string | number, unknown> | undefined)?.[key], value);
}

/** Whether a value is one that only Azure knows. */
export const isExpression = (value: unknown): value is string => typeof value === "string" && /^\[[^[]/.test(value);
