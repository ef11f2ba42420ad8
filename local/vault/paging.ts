import type { Call, Json, Reply } from "./model.ts";
import { badParameter } from "./refusal.ts";

const maxPage = 25;
/** What was asked of the first page holds for all. */
const carried = ["maxresults", "includePending"];

/**
 * One page of the sorted `keys`, each as `present` shows it (undefined: left out). The token names the last key that was
 * looked at, so that a listing stays whole while objects come and go.
 */
export function page(call: Call, path: string, keys: readonly string[], present: (key: string) => Json): Reply {
  const size = pageSize(call);
  const after = marker(call);
  const value: Json[] = [];
  let last = "";
  for (let at = firstAfter(keys, after); at < keys.length; at++) {
    const key = keys[at]!;
    const item = present(key);
    if (item === undefined) continue;
    if (value.length === size) return { status: 200, body: { value, nextLink: nextLink(call, path, last) } };
    value.push(item);
    last = key;
  }
  return { status: 200, body: { value } };
}

function pageSize(call: Call): number {
  const given = call.query.get("maxresults");
  if (given === undefined) return maxPage;
  const size = /^\d{1,9}$/.test(given) ? Number(given) : 0;
  if (size < 1 || size > maxPage) throw badParameter(`The parameter maxresults must be from 1 to ${maxPage}.`);
  return size;
}

function marker(call: Call): string {
  const token = call.query.get("$skiptoken");
  if (token === undefined) return "";
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, "base64").toString("utf8"));
    const next = (parsed as { NextMarker?: unknown }).NextMarker;
    if (typeof next === "string" && next) return next;
  } catch {
    // Refused below.
  }
  throw badParameter("The parameter $skiptoken is invalid.");
}

function nextLink(call: Call, path: string, last: string): string {
  const token = Buffer.from(JSON.stringify({ NextMarker: last, TargetLocation: 0 })).toString("base64");
  const query = `api-version=${call.apiVersion}&$skiptoken=${encodeURIComponent(token)}`;
  const kept = carried.flatMap((name) => {
    const value = call.query.get(name.toLowerCase());
    return value === undefined ? [] : [`&${name}=${encodeURIComponent(value)}`];
  });
  return `${call.vault.url}/${path}?${query}${kept.join("")}`;
}

function firstAfter(keys: readonly string[], after: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
