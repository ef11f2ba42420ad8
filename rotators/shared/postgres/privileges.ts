import type { Client } from "pg";
import type { Proof } from "../../../src/rotator.ts";

// One row for each thing a role is or may do, its own name left out, so that the rows of two equal roles are equal.
// `value` takes part in the comparison only: a setting's value may be nobody's business.
// Columns that older servers lack are read through to_jsonb.
const rights = (parameterAcl: boolean) => `
WITH r AS (SELECT * FROM pg_roles WHERE rolname IN ($1, $2)),
acl(object, acl) AS (
  SELECT 'relation ' || oid::regclass, relacl FROM pg_class
  UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname, attacl FROM pg_attribute
  UNION ALL SELECT 'schema ' || nspname, nspacl FROM pg_namespace
  UNION ALL SELECT 'database ' || datname, datacl FROM pg_database
  UNION ALL SELECT 'function ' || oid::regprocedure, proacl FROM pg_proc
  UNION ALL SELECT 'type ' || oid::regtype, typacl FROM pg_type
  UNION ALL SELECT 'language ' || lanname, lanacl FROM pg_language
  UNION ALL SELECT 'foreign data wrapper ' || fdwname, fdwacl FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'foreign server ' || srvname, srvacl FROM pg_foreign_server
  UNION ALL SELECT 'tablespace ' || spcname, spcacl FROM pg_tablespace
  UNION ALL SELECT 'large object ' || oid, lomacl FROM pg_largeobject_metadata
  ${parameterAcl ? "UNION ALL SELECT 'parameter ' || parname, paracl FROM pg_parameter_acl" : ""}
  UNION ALL SELECT format('what %s makes in schema %s (%s)', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype), defaclacl
    FROM pg_default_acl WHERE defaclrole NOT IN (SELECT oid FROM r)
)
SELECT r.rolname AS role, x.label, x.value FROM r CROSS JOIN LATERAL (
  SELECT 'attribute ' || key, value FROM jsonb_each_text(to_jsonb(r)) WHERE key IN ('rolsuper', 'rolinherit', 'rolcreaterole',
    'rolcreatedb', 'rolreplication', 'rolbypassrls', 'rolconnlimit', 'rolvaliduntil')
  UNION ALL SELECT 'setting ' || split_part(pair, '=', 1), setdatabase || ' ' || pair
    FROM pg_db_role_setting, unnest(setconfig) pair WHERE setrole = r.oid
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  UNION ALL SELECT 'membership in ' || roleid::regrole, concat_ws(' ', admin_option, to_jsonb(m) ->> 'inherit_option', to_jsonb(m) ->> 'set_option')
    FROM pg_auth_members m WHERE member = r.oid
  UNION ALL SELECT format('%s on %s', privilege_type, object), is_grantable::text FROM acl, aclexplode(acl.acl) WHERE grantee = r.oid
  UNION ALL SELECT format('default privilege %s on %s in schema %s', privilege_type, defaclobjtype, defaclnamespace::regnamespace),
    concat_ws(' ', CASE grantee WHEN r.oid THEN 'itself' WHEN 0 THEN 'public' ELSE (SELECT CASE WHEN g.oid IN (SELECT oid FROM r) THEN 'the other' ELSE g.rolname END FROM pg_roles g WHERE g.oid = grantee) END, is_grantable)
    FROM pg_default_acl, aclexplode(defaclacl) WHERE defaclrole = r.oid
  UNION ALL SELECT 'ownership of ' || oid::regclass, '' FROM pg_class WHERE relowner = r.oid AND relpersistence <> 't' AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL SELECT 'ownership of schema ' || nspname, '' FROM pg_namespace WHERE nspowner = r.oid AND nspname !~ '^pg_(toast_)?temp_'
  UNION ALL SELECT 'ownership of database ' || datname, '' FROM pg_database WHERE datdba = r.oid
  UNION ALL SELECT 'ownership of function ' || oid::regprocedure, '' FROM pg_proc WHERE proowner = r.oid
  UNION ALL SELECT format('policy %s on %s', polname, polrelid::regclass), '' FROM pg_policy WHERE r.oid = ANY (polroles)
  UNION ALL SELECT 'user mapping for ' || srvname, '' FROM pg_user_mappings WHERE umuser = r.oid
) x(label, value)`;

/**
 * Compares two roles: attributes, settings, memberships with their options, direct grants, default privileges, ownership and
 * row policies, in the database connected to (grants inside other databases are not visible from here).
 * The detail names what differs, never a setting's value.
 */
export async function comparePrivileges(client: Client, one: string, other: string): Promise<Proof> {
  const found = await client.query<{ parameters: boolean }>(
    "SELECT to_regclass('pg_parameter_acl') IS NOT NULL AS parameters",
  );
  const { rows } = await client.query<{ role: string; label: string; value: string | null }>(
    rights(found.rows[0]?.parameters ?? false),
    [one, other],
  );
  const of = (role: string) =>
    new Map(rows.filter((row) => row.role === role).map((row) => [JSON.stringify([row.label, row.value]), row.label]));
  const [left, right] = [of(one), of(other)];
  const only = (role: string, mine: Map<string, string>, theirs: Map<string, string>) =>
    [...mine].filter(([key]) => !theirs.has(key)).map(([, label]) => `${role}: ${label}`);
  const differences = [...only(one, left, right), ...only(other, right, left)].sort();
  const name = `${other} may do exactly what ${one} may`;
  if (differences.length === 0) return { name, ok: true, detail: `${left.size} rights and attributes compared` };
  const more = differences.length > 6 ? ` and ${differences.length - 6} more` : "";
  return { name, ok: false, detail: `differs in ${differences.slice(0, 6).join("; ")}${more}` };
}
