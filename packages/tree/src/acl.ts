/**
 * Access control: what an ACL grants to whom, and how the ACL of a request becomes the ACL of a znode.
 *
 * Permissions are per znode, not inherited, and the union of the grants that match (ZooKeeper's rule). A check only
 * compares strings: credentials became identities before they came here.
 */
import { type AclItem, type Identity, openAcl, type Permission, permissions, type Refusal, refuse } from "@copse/protocol";

export interface Acl {
  readonly items: readonly AclItem[];
  /** What everyone may do, as a set of permission bits: most checks end here. */
  readonly world: number;
}

/** Who asks: a session's identities, and the address of its connection ("" for none). */
export interface Caller {
  readonly identities: readonly Identity[];
  readonly address: string;
}

const bit: Record<Permission, number> = { read: 1, write: 2, create: 4, delete: 8, admin: 16 };

function bitsOf(perms: readonly string[]): number {
  let bits = 0;
  for (const perm of perms) bits |= bit[perm as Permission];
  return bits;
}

/** The ACL of already expanded items. */
export function aclOf(items: readonly AclItem[]): Acl {
  let world = 0;
  for (const item of items) if (item.scheme === "world") world |= bitsOf(item.perms);
  return { items, world };
}

/** world:anyone, all permissions. */
export const open: Acl = aclOf(openAcl);

/** True if `caller` has `permission` under `acl`. */
export function mayDo(acl: Acl, permission: Permission, caller: Caller): boolean {
  const wanted = bit[permission];
  if ((acl.world & wanted) !== 0) return true;
  for (const { scheme } of caller.identities) if (scheme === "super") return true;
  for (const item of acl.items) {
    if ((bitsOf(item.perms) & wanted) === 0) continue;
    if (item.scheme === "ip" ? isInNetwork(caller.address, item.id) : has(caller, item.scheme, item.id)) return true;
  }
  return false;
}

function has(caller: Caller, scheme: string, id: string): boolean {
  return caller.identities.some((identity) => identity.scheme === scheme && identity.id === id);
}

/**
 * Judges and expands the ACL of a request: `auth` becomes the caller's digest identities, a bare scrypt user the
 * identity proved under that name.
 * @returns the ACL, or INVALID_ACL
 */
export function expandAcl(items: readonly AclItem[], caller: Caller, path: string): Acl | Refusal {
  const expanded: AclItem[] = [];
  for (const { perms, scheme, id } of items) {
    if (perms.length === 0 || !perms.every((perm) => (permissions as readonly string[]).includes(perm))) {
      return refuse("INVALID_ACL", "acl: an item has unknown permissions or none", path);
    }
    if (scheme === "auth") {
      const own = caller.identities.filter((identity) => identity.scheme === "digest");
      if (own.length === 0) return refuse("INVALID_ACL", "acl: auth needs an authenticated digest identity", path);
      for (const identity of own) expanded.push({ perms, scheme: "digest", id: identity.id });
      continue;
    }
    const known = knownId(scheme, id, caller);
    if (known === null) return refuse("INVALID_ACL", "acl: an item has an unknown scheme or an id that its scheme refuses", path);
    expanded.push({ perms, scheme, id: known });
  }
  if (expanded.length === 0) return refuse("INVALID_ACL", "acl: must not be empty", path);
  return aclOf(expanded);
}

/** The id as it is stored, or null where the scheme refuses it. */
function knownId(scheme: string, id: string, caller: Caller): string | null {
  switch (scheme) {
    case "world":
      return id === "anyone" ? id : null;
    case "digest":
      return /^[^:]+:[^:]+$/.test(id) ? id : null;
    case "scrypt":
      if (/^[^:]+:[^:]+$/.test(id)) return id;
      return caller.identities.find((identity) => identity.scheme === "scrypt" && identity.id.startsWith(`${id}:`))?.id ?? null;
    case "ip":
      return parseNetwork(id) === null ? null : id;
    default:
      return null;
  }
}

/** The items as `getAcl` shows them: without ADMIN the secret half of digest and scrypt ids is masked. */
export function shownItems(acl: Acl, caller: Caller): readonly AclItem[] {
  if (mayDo(acl, "admin", caller)) return acl.items;
  return acl.items.map((item) => {
    if (item.scheme !== "digest" && item.scheme !== "scrypt") return item;
    return { ...item, id: `${item.id.slice(0, item.id.indexOf(":"))}:x` };
  });
}

/** A network as address bytes and prefix length; null if `text` is not one. */
function parseNetwork(text: string): { readonly bytes: readonly number[]; readonly bits: number } | null {
  const [address = "", prefix, ...rest] = text.split("/");
  const bytes = parseAddress(address);
  if (bytes === null || rest.length > 0) return null;
  if (prefix === undefined) return { bytes, bits: bytes.length * 8 };
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  return bits >= 0 && bits <= bytes.length * 8 ? { bytes, bits } : null;
}

function parseAddress(address: string): number[] | null {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(address)) {
    const bytes = address.split(".").map(Number);
    return bytes.every((byte) => byte < 256) ? bytes : null;
  }
  if (!/^[0-9a-fA-F:]+$/.test(address) || !address.includes(":")) return null;
  const halves = address.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - (head?.length ?? 0) - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...(head ?? []), ...(halves.length === 2 ? Array<string>(missing).fill("0") : []), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]);
}

function isInNetwork(address: string, network: string): boolean {
  const range = parseNetwork(network);
  const bytes = parseAddress(address);
  if (range === null || bytes === null || bytes.length !== range.bytes.length) return false;
  for (let at = 0; at < range.bits; at += 8) {
    const mask = 0xff << Math.max(0, 8 - (range.bits - at));
    if (((bytes[at / 8]! ^ range.bytes[at / 8]!) & mask & 0xff) !== 0) return false;
  }
  return true;
}
