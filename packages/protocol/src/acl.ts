/**
 * Access control lists as they travel. Only their shape is judged here; whether a permission, scheme or id means
 * something is judged at apply (tree/access/acl), because `auth` and scrypt depend on the session.
 */
import { type Refusal, refuse } from "./replies/error-code.ts";

/** A grant to whoever has one identity, or (`all`) several at once. */
export type AclItem = { readonly perms: readonly string[] } & (
  | (Identity & { readonly all?: undefined })
  | { readonly all: readonly Identity[]; readonly scheme?: undefined; readonly id?: undefined }
);

/** Who a connection has proved to be. */
export interface Identity {
  readonly scheme: string;
  readonly id: string;
}

/** The identities that an item demands: one, or several at once. */
export function demanded(item: AclItem): readonly Identity[] {
  return item.all ?? [item];
}

/** An identity as text: in logs, events, `explain` and `revoke`. */
export function identityText({ scheme, id }: Identity): string {
  return `${scheme} ${id}`;
}

/** Items in one ACL, and UTF-16 units of all its schemes and ids. */
export const aclItemsMax = 100;
/** Identities that one item may demand at once. */
export const demandedMax = 8;
export const aclUnitsMax = 65_536;
/** UTF-16 units of all ACLs of one write, as they are kept. */
export const writeAclUnitsMax = 4_194_304;

export const permissions = ["read", "write", "create", "delete", "admin"] as const;
export type Permission = (typeof permissions)[number];

/** world:anyone may do everything: the ACL of a znode created without one. */
export const openAcl: readonly AclItem[] = [{ perms: permissions, scheme: "world", id: "anyone" }];

const permissionUnitsMax = 32;

/** Reads an `acl` member: the items copied field by field, or BAD_ARGUMENTS. */
export function decodeAcl(member: unknown, name = "acl"): AclItem[] | Refusal {
  if (!Array.isArray(member)) return refuse("BAD_ARGUMENTS", `${name} must be an array`);
  if (member.length > aclItemsMax) return refuse("BAD_ARGUMENTS", `${name} has at most ${aclItemsMax} items`);
  const items: AclItem[] = [];
  let units = 0;
  for (const item of member as unknown[]) {
    if (typeof item !== "object" || item === null) return refuse("BAD_ARGUMENTS", `${name}: an item must be an object`);
    const { perms, all } = item as Record<string, unknown>;
    if (!Array.isArray(perms) || !perms.every((perm) => typeof perm === "string")) {
      return refuse("BAD_ARGUMENTS", `${name}: perms must be an array of strings`);
    }
    if (perms.length > permissions.length || perms.some((perm) => (perm as string).length > permissionUnitsMax))
      return refuse("BAD_ARGUMENTS", `${name}: too many perms`);
    const identities: Identity[] = [];
    if (all != null && (!Array.isArray(all) || all.length === 0 || all.length > demandedMax))
      return refuse("BAD_ARGUMENTS", `${name}: all must be an array of 1 to ${demandedMax} identities`);
    for (const one of (all ?? [item]) as unknown[]) {
      const identity = decodeIdentity(one, name);
      if ("code" in identity) return identity;
      units += identity.scheme.length + identity.id.length;
      identities.push(identity);
    }
    if (units > aclUnitsMax) return refuse("BAD_ARGUMENTS", `${name} has at most ${aclUnitsMax} characters`);
    items.push({ perms: [...(perms as string[])], ...(all == null ? identities[0]! : { all: identities }) });
  }
  return items;
}

function decodeIdentity(given: unknown, name: string): Identity | Refusal {
  if (typeof given !== "object" || given === null) return refuse("BAD_ARGUMENTS", `${name}: an identity must be an object`);
  const { scheme, id } = given as Record<string, unknown>;
  if (typeof scheme !== "string" || !scheme.isWellFormed()) return refuse("BAD_ARGUMENTS", `${name}: scheme must be a string`);
  if (typeof id !== "string" || !id.isWellFormed()) return refuse("BAD_ARGUMENTS", `${name}: id must be a string`);
  return { scheme, id };
}

/** What stands for the secret half of an id where it is hidden. */
const mask = ":x";

/** An item as `getAcl` shows it to callers that are not admins: without the secret half of a digest or scrypt id. */
export function maskedItem(item: AclItem): AclItem {
  if (item.all !== undefined) return { perms: item.perms, all: item.all.map(maskedIdentity) };
  return { perms: item.perms, ...maskedIdentity(item) };
}

function maskedIdentity({ scheme, id }: Identity): Identity {
  return { scheme, id: scheme === "digest" || scheme === "scrypt" ? id.slice(0, id.indexOf(":")) + mask : id };
}

/**
 * True for an id without its secret half: nobody has it, so it grants nothing to anyone.
 *
 * @example
 * isMasked({ scheme: "digest", id: "bob:x" }); // true
 */
export function isMasked({ scheme, id }: Identity): boolean {
  return (scheme === "digest" || scheme === "scrypt") && id.endsWith(mask) && id.indexOf(":") === id.length - mask.length;
}

/** The items without those that say again what one before them said (ZOOKEEPER-1877); `auth` means the same whatever its id. */
export function uniqueItems(items: readonly AclItem[]): readonly AclItem[] {
  const said = new Set<string>();
  return items.filter((item) => {
    const whose = demanded(item).flatMap(({ scheme, id }) => [scheme, scheme === "auth" ? "" : id]);
    const text = JSON.stringify([[...new Set(item.perms)].sort(), ...whose]);
    return !said.has(text) && said.add(text);
  });
}
