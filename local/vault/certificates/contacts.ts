import { isObject, readText } from "../attributes.ts";
import type { Fields } from "../kind.ts";
import type { Call, Operation, Reply, Vault } from "../model.ts";
import { Refusal, badParameter } from "../refusal.ts";
import { newVersion } from "../version.ts";
import type { Contact } from "./model.ts";

// The people whom the service would write to about certificates.

const name = "contacts";
const maxContacts = 100;
const maxText = 1024;

function get({ vault }: Call): Reply {
  return { status: 200, body: bundle(vault, read(vault)) };
}

/** Replaces the whole list. */
function set(call: Call): Reply {
  const { vault, now } = call;
  const contacts = readContacts(call.body()["contacts"]);
  const version = { ...newVersion(now), id: name, contacts };
  vault.contacts.write({ name, versions: [version] }, [version]);
  return { status: 200, body: bundle(vault, contacts) };
}

function remove({ vault }: Call): Reply {
  const contacts = read(vault);
  vault.commit([vault.contacts.removing(name)]);
  return { status: 200, body: bundle(vault, contacts) };
}

function read(vault: Vault): readonly Contact[] {
  const contacts = vault.contacts.find(name)?.versions[0]?.contacts;
  if (contacts) return contacts;
  throw new Refusal(404, "ContactsNotFound", "Contacts not found");
}

function readContacts(given: unknown): readonly Contact[] {
  if (!Array.isArray(given) || given.length === 0 || given.length > maxContacts) {
    throw badParameter("The parameter contacts is missing, empty or not a list.");
  }
  return given.map((one: unknown) => {
    if (!isObject(one)) throw badParameter("The parameter contacts has a member that is not an object.");
    const email = readText(one, "email", maxText);
    if (!email) throw badParameter("The parameter contacts has a member without an email.");
    return { email, name: readText(one, "name", maxText), phone: readText(one, "phone", maxText) };
  });
}

const bundle = (vault: Vault, contacts: readonly Contact[]): Fields => ({
  id: `${vault.url}/certificates/contacts`,
  contacts: contacts.map((one) => ({ ...one })),
});

const path = "certificates/contacts";

export const contactOperations: readonly Operation[] = [
  { operation: "contacts.get", method: "GET", path, run: get },
  { operation: "contacts.set", method: "PUT", path, run: set },
  { operation: "contacts.delete", method: "DELETE", path, run: remove },
];
