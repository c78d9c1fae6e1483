/**
 * A subtree as text: a head, a line of JSON for each znode, parents first, and an end that counts and sums them.
 *
 * `{"copse":"subtree","format":2,"salt":"…"}`, then `{"path":"web","data":"x"}` with `data64` for bytes and neither for no data, `acl`,
 * `default`, `ttl`, `container`, `counter` and `ephemeral` where they are not what a plain znode has, then `{"end":2,"sum":"…"}`. Paths are
 * relative to the top. Invariant: a text that was cut or altered is refused whole, before anything of it is used.
 */

import type { AclItem } from "./calls/acl.ts";
import { decodeBase64, encodeBase64 } from "./calls/base64.ts";
import type { CarriedZnode } from "./subtree.ts";

const format = 2;

/** A subtree that was read from text. */
export interface SubtreeText {
  readonly znodes: readonly CarriedZnode[];
  /** What the passwords of its `scrypt` identities are salted with; null where it does not say. */
  readonly salt: string | null;
}

/**
 * The lines of a subtree, without the lines' ends.
 * @param salt of the cluster that it comes from (`ensemble`)
 * @example
 * const { carrySubtree, withAcls } = await import("@copse/client/subtree");
 * const { znodes } = await carrySubtree(copse, "/app");
 * const { salt = "" } = await copse.ensemble();
 * const text = [...formatSubtree(await withAcls(copse, "/app", znodes), salt)].join("\n");
 */
export function* formatSubtree(znodes: Iterable<CarriedZnode>, salt: string): Generator<string> {
  const sum = new Sum();
  let count = 0;
  yield JSON.stringify({ copse: "subtree", format, salt });
  for (const znode of znodes) {
    const line = formatZnode(znode);
    count++;
    sum.add(line);
    yield line;
  }
  yield JSON.stringify({ end: count, sum: sum.text });
}

/**
 * Reads lines that `formatSubtree` has made; as an array, with brackets and commas, they are read too.
 * @param isUnchecked lines without head and end are taken as well, as people write them and older builds did
 * @throws Error that names the line, or says that the text was cut or altered
 * @example const { znodes } = parseSubtree(['{"path":"web","data":"x"}'], { isUnchecked: true });
 */
export function parseSubtree(lines: Iterable<string>, { isUnchecked = false }: { readonly isUnchecked?: boolean } = {}): SubtreeText {
  const znodes: CarriedZnode[] = [];
  const sum = new Sum();
  let head: Line | null = null;
  let end: Line | null = null;
  let number = 0;
  for (const line of lines) {
    const text = line.trim().replace(/,$/, "");
    number++;
    if (text === "" || text === "[" || text === "]") continue;
    const parsed = parseLine(text, number);
    if (end !== null) throw new Error(`line ${number} comes after the end`);
    if (parsed["copse"] === "subtree" && head === null && znodes.length === 0) head = parsed;
    else if (parsed["end"] !== undefined) end = parsed;
    else {
      sum.add(text);
      znodes.push(znodeOf(parsed, number));
    }
  }
  if (head !== null && head["format"] !== format)
    throw new Error(`the text has format ${String(head["format"])}; this build reads ${format}`);
  if ((head === null) !== (end === null) || (head === null && !isUnchecked)) {
    throw new Error("the text was cut: its first or its last line is missing");
  }
  if (end !== null && (end["end"] !== znodes.length || end["sum"] !== sum.text))
    throw new Error("the text was cut or altered: its sum differs");
  return { znodes, salt: typeof head?.["salt"] === "string" ? head["salt"] : null };
}

/**
 * True for an ACL item that fits only clusters of one salt.
 * @example const isTied = isSalted({ scheme: "scrypt", id: "ann:…", perms: ["read"] });
 */
export function isSalted(item: AclItem): boolean {
  return JSON.stringify(item).includes('"scheme":"scrypt"');
}

type Line = Readonly<Record<string, unknown>>;

function formatZnode({ path, data, kind, defaultAcl, counter, isEphemeral }: CarriedZnode): string {
  const value = data === null ? {} : typeof data === "string" ? { data } : { data64: encodeBase64(data) };
  return JSON.stringify({
    path,
    ...value,
    acl: kind?.acl,
    default: defaultAcl,
    ttl: kind?.ttl,
    container: kind?.container,
    counter,
    ephemeral: isEphemeral,
  });
}

function parseLine(text: string, number: number): Line {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`line ${number} is not JSON`);
  }
  if (typeof parsed !== "object" || parsed === null) throw new Error(`line ${number} has no path`);
  return parsed as Line;
}

function znodeOf({ path, data, data64, acl, default: defaultAcl, ttl, container, counter, ephemeral }: Line, number: number): CarriedZnode {
  const fault = (what: string): Error => new Error(`line ${number}: ${what}`);
  if (typeof path !== "string") throw new Error(`line ${number} has no path`);
  if (data !== undefined && typeof data !== "string") throw fault("data is not text");
  if (data64 !== undefined && typeof data64 !== "string") throw fault("data64 is not text");
  for (const list of [acl, defaultAcl]) if (list !== undefined && !Array.isArray(list)) throw fault("an ACL is not an array");
  for (const count of [ttl, counter])
    if (count !== undefined && !Number.isSafeInteger(count)) throw fault("ttl or counter is not an integer");
  const kind = {
    ...(acl === undefined ? {} : { acl: acl as AclItem[] }),
    ...(ttl === undefined ? {} : { ttl: ttl as number }),
    ...(container === true ? { container: true } : {}),
  };
  return {
    path,
    data: data64 === undefined ? (data ?? null) : bytesOf(data64, fault),
    kind,
    ...(defaultAcl === undefined ? {} : { defaultAcl: defaultAcl as AclItem[] }),
    ...(counter === undefined ? {} : { counter: counter as number }),
    ...(ephemeral === true ? { isEphemeral: true } : {}),
  };
}

function bytesOf(data64: string, fault: (what: string) => Error): Uint8Array {
  try {
    return decodeBase64(data64);
  } catch {
    throw fault("data64 is not base64");
  }
}

/** A sum over lines: it tells an accident, not an attack. Two FNV-1a hashes of 32 bits over UTF-16 units, with different starts. */
class Sum {
  #one = 0x811c9dc5;
  #other = 0x050c5d1f;

  add(line: string): void {
    for (let at = 0; at < line.length; at++) this.#take(line.charCodeAt(at));
    this.#take(10);
  }

  get text(): string {
    return [this.#one, this.#other].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #take(unit: number): void {
    this.#one = Math.imul(this.#one ^ unit, 0x01000193);
    this.#other = Math.imul(this.#other ^ unit ^ 0x5bd1, 0x01000193) + 1;
  }
}
