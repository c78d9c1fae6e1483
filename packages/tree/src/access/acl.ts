/**
 * Access control: what an ACL grants to whom, and how the ACL of a request becomes the ACL of a znode.
 *
 * Permissions are per znode, not inherited, and the union of the grants that match (ZooKeeper's rule). A check only
 * compares strings: credentials became identities before they came here. Invariant: an ACL and a caller never change, so what one
 * grants the other is worked out once, however often it is asked.
 */
import {
  type AclItem,
  aclItemsMax,
  aclUnitsMax,
  demanded,
  type Identity,
  identityText,
  isMasked,
  maskedItem,
  openAcl,
  type Permission,
  permissions,
  type Refusal,
  refuse,
  utf8Length,
  type Write,
  writeAclUnitsMax,
} from "@copse/protocol";

/** A caller: a session's identities, and the address of its connection ("" for none). */
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

/** One grant, ready to be compared. */
interface Grant {
  readonly bits: number;
  /** All of whom it takes: scheme and id as one string; a network instead, where the scheme is `ip`. */
  readonly whom: readonly (string | Network)[];
}

export class Acl {
  readonly items: readonly AclItem[];
  /** What a child created without an ACL gets, and hands on; null where that is the open one. */
  readonly defaultItems: readonly AclItem[] | null;
  /** Items and default items as JSON: the same for two ACLs exactly where they are. */
  readonly key: string;
  /** What everyone may do, as a set of permission bits: most checks end here. */
  readonly world: number;
  /** All grants but the world's, parsed at the first check that needs them. */
  #grants: readonly Grant[] | null = null;

  constructor(items: readonly AclItem[], defaultItems: readonly AclItem[] | null = null) {
    this.items = items;
    this.defaultItems = defaultItems;
    this.key = JSON.stringify(defaultItems === null ? items : [items, defaultItems]);
    let world = 0;
    for (const item of items) if (demanded(item).every(isWorld)) world |= bitsOf(item.perms);
    this.world = world;
  }

  /** What it takes in memory beyond its sharers' pointers, in bytes. */
  get bytes(): number {
    return 3 * utf8Length(this.key);
  }

  get grants(): readonly Grant[] {
    this.#grants ??= this.items.flatMap((item): Grant[] => {
      const named = demanded(item).filter((identity) => !isWorld(identity));
      const whom = named.map((identity) => (identity.scheme === "ip" ? parseNetwork(identity.id) : identityText(identity)));
      return whom.length === 0 || whom.includes(null) ? [] : [{ bits: bitsOf(item.perms), whom: whom as Grant["whom"] }];
    });
    return this.#grants;
  }
}

function isWorld({ scheme, id }: Identity): boolean {
  return scheme === "world" && id === "anyone";
}

/** The ACL of already expanded items. */
export function aclOf(items: readonly AclItem[]): Acl {
  return new Acl(items);
}

/** A caller without identities or an address. */
export const nobody: Caller = { identities: [], address: "" };

/** world:anyone, all permissions. */
export const open: Acl = aclOf(openAcl);

/** True if `caller` has `permission` under `acl`. */
export function mayDo(acl: Acl, permission: Permission, caller: Caller): boolean {
  const wanted = bit[permission];
  return (acl.world & wanted) !== 0 || (namedGrants(acl, caller) & wanted) !== 0;
}

/** As `mayDo`, where what everyone may do counts for nothing. */
export function mayDoByName(acl: Acl, permission: Permission, caller: Caller): boolean {
  return (namedGrants(acl, caller) & bit[permission]) !== 0;
}

/** What each caller was granted by the ACLs that it met: a caller lives as long as its connection has these identities. */
const known: WeakMap<Caller, { readonly names: ReadonlySet<string>; readonly bits: Map<Acl, number> }> = new WeakMap();
/** ACLs whose grants are remembered for one caller. */
const knownMax = 1_024;
const everything = 31;

/** The permissions that an ACL grants to this caller in particular. */
function namedGrants(acl: Acl, caller: Caller): number {
  let held = known.get(caller);
  if (held === undefined) {
    held = { names: new Set(caller.identities.map(identityText)), bits: new Map() };
    known.set(caller, held);
  }
  const before = held.bits.get(acl);
  if (before !== undefined) return before;
  if (held.bits.size >= knownMax) held.bits.clear();
  const bits = passesAll(caller) ? everything : grantedBits(acl.grants, held.names, caller.address);
  held.bits.set(acl, bits);
  return bits;
}

function grantedBits(grants: readonly Grant[], names: ReadonlySet<string>, from: string): number {
  let bits = 0;
  let address: number[] | null | undefined;
  const isOne = (who: string | Network): boolean => {
    if (typeof who === "string") return names.has(who);
    if (address === undefined) address = parseAddress(from);
    return address !== null && isInNetwork(address, who);
  };
  for (const { bits: more, whom } of grants) if ((more & ~bits) !== 0 && whom.every(isOne)) bits |= more;
  return bits;
}

/** True for super: what `force` asks for. */
export function isSuper(caller: Caller): boolean {
  return caller.identities.some(({ scheme }) => scheme === "super");
}

/** True for callers that pass every ACL and every rule: super, and those whom the configuration names as admins. */
export function passesAll(caller: Caller): boolean {
  return caller.identities.some(({ scheme }) => scheme === "super" || scheme === "admin");
}

/** The first identity of the caller that an ACL names with this permission; null where it grants it to nobody in particular. */
export function grantee(acl: Acl, permission: Permission, caller: Caller): Identity | null {
  const wanted = bit[permission];
  const named = acl.items.filter(({ perms }) => (bitsOf(perms) & wanted) !== 0);
  return (
    caller.identities.find(
      ({ scheme, id }) =>
        scheme === "super" ||
        scheme === "admin" ||
        named.some((item) => demanded(item).some((one) => one.scheme === scheme && one.id === id)),
    ) ?? null
  );
}

/** What `auth` in an ACL stands for: the token of the caller, where there is one, else its digest identities. */
function ownIdentities({ identities }: Caller): readonly Identity[] {
  const tokens = identities.filter(({ scheme }) => scheme === "token");
  return tokens.length > 0 ? tokens : identities.filter(({ scheme }) => scheme === "digest");
}

/**
 * Judges and expands the ACL of a request: `auth` becomes the caller's own identities, a bare scrypt user the
 * identity proved under that name.
 * @param format of the txn: since 3 a masked id is refused, since 5 an item may name tokens, claims and certificates, and several at once
 * @returns the items, or INVALID_ACL
 */
export function expandAcl(items: readonly AclItem[], caller: Caller, path: string, format: number): readonly AclItem[] | Refusal {
  const expanded: AclItem[] = [];
  for (const item of items) {
    const { perms, all } = item;
    if (perms.length === 0 || !perms.every((perm) => (permissions as readonly string[]).includes(perm))) {
      return refuse("INVALID_ACL", "acl: an item has unknown permissions or none", path);
    }
    if (all === undefined && item.scheme === "auth") {
      const own = ownIdentities(caller);
      if (own.length === 0) return refuse("INVALID_ACL", "acl: auth needs an authenticated digest or token identity", path);
      for (const { scheme, id } of own) expanded.push({ perms, scheme, id });
      continue;
    }
    const known: Identity[] = [];
    for (const { scheme, id } of demanded(item)) {
      if (format >= 3 && isMasked({ scheme, id })) {
        return refuse(
          "INVALID_ACL",
          "acl: an id is masked, as getAcl returns it to callers without admin: it would match no identity",
          path,
        );
      }
      const idKnown = knownId(scheme, id, caller, format);
      if (idKnown === null) return refuse("INVALID_ACL", "acl: an item has an unknown scheme or an id that its scheme refuses", path);
      known.push({ scheme, id: idKnown });
    }
    expanded.push(all === undefined ? { perms, ...known[0]! } : { perms, all: known });
  }
  return expanded.length === 0 ? refuse("INVALID_ACL", "acl: must not be empty", path) : expanded;
}

/**
 * Judges what the ACLs of a write become once `auth` stands for each identity of the caller, as `expandAcl` makes it: before the txn is
 * proposed, because what is applied must be applied on every member, however large.
 * @returns TOO_LARGE where one ACL has too many items or units, or all of them have
 */
export function expandedFault(write: Write, caller: Caller): Refusal | null {
  // Most writes bring no ACL.
  if (write.op !== "multi" && (write.op !== "create" || write.acl === null) && write.op !== "setAcl") return null;
  const own = ownIdentities(caller);
  const auth = own.reduce((sum, { scheme, id }) => sum + scheme.length + id.length, 0);
  let left = writeAclUnitsMax;
  const isTooLarge = (items: readonly AclItem[]): boolean => {
    let units = 0;
    let count = 0;
    for (const { scheme, id } of items.flatMap(demanded)) {
      count += scheme === "auth" ? own.length : 1;
      units += scheme === "auth" ? auth : scheme.length + (scheme === "scrypt" ? (knownId(scheme, id, caller, 5) ?? id) : id).length;
    }
    left -= units;
    return count > aclItemsMax || units > aclUnitsMax || left < 0;
  };
  for (const [index, one] of (write.op === "multi" ? write.ops : [write]).entries()) {
    if (one.op !== "create" && one.op !== "setAcl") continue;
    if (![one.acl, one.op === "setAcl" ? one.defaultAcl : null].some((items) => isTooLarge(items ?? []))) continue;
    const refusal = refuse("TOO_LARGE", "acl: too large once auth is expanded to all of the session's identities", one.path);
    return write.op === "multi" ? { ...refusal, index } : refusal;
  }
  return null;
}

/** The id as it is stored, or null where the scheme refuses it. */
function knownId(scheme: string, id: string, caller: Caller, format: number): string | null {
  if (isTokenScheme(scheme)) return format >= 5 && idPatterns[scheme].test(id) ? id : null;
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

/** What the ids of the schemes look like that an ACL may name since format 5. */
const idPatterns = {
  token: /^[a-z0-9_-]{1,32}:.+$/s,
  issuer: /^[a-z0-9_-]{1,32}$/,
  claim: /^[a-z0-9_-]{1,32}:[a-z0-9_-]{1,32}=.*$/s,
  x509: /^.+$/s,
} as const;

function isTokenScheme(scheme: string): scheme is keyof typeof idPatterns {
  return Object.hasOwn(idPatterns, scheme);
}

/** True for an identity that an ACL of the newest format may name as it stands. */
export function isIdOf({ scheme, id }: Identity): boolean {
  return knownId(scheme, id, nobody, 5) === id;
}

/** True for an item that builds before format 5 refuse. */
export function isOfFormat5(item: AclItem): boolean {
  return item.all !== undefined || isTokenScheme(item.scheme);
}

/** An ACL as `getAcl` shows it: without ADMIN the secret half of digest and scrypt ids is masked. */
export function shownAcl(acl: Acl, caller: Caller): Pick<Acl, "items" | "defaultItems"> {
  if (mayDo(acl, "admin", caller)) return acl;
  return { items: acl.items.map(maskedItem), defaultItems: acl.defaultItems?.map(maskedItem) ?? null };
}

interface Network {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** A network as address bytes and prefix length; null if `text` is not one. */
function parseNetwork(text: string): Network | null {
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

function isInNetwork(bytes: readonly number[], range: Network): boolean {
  if (bytes.length !== range.bytes.length) return false;
  for (let at = 0; at < range.bits; at += 8) {
    const mask = 0xff << Math.max(0, 8 - (range.bits - at));
    if (((bytes[at / 8]! ^ range.bytes[at / 8]!) & mask & 0xff) !== 0) return false;
  }
  return true;
}
