/**
 * getacl and setacl: read and write the ACL of a znode. Each argument is one item, written scheme:id:permissions.
 */
import type { AclItem, Permission, Scheme } from "@copse/client";
import { UsageError } from "../exit-code.ts";
import { print, type Shared, withClient } from "../terminal.ts";

const permissions: readonly string[] = ["read", "write", "create", "delete", "admin"];
/** ZooKeeper's letters. */
const letters: Readonly<Record<string, string>> = { r: "read", w: "write", c: "create", d: "delete", a: "admin" };

export async function getAcl(path: string, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (client) => {
    const { acl, default: handedOn } = await client.getAcl(path);
    if (shared.output === "json") return print(JSON.stringify({ acl, ...(handedOn === undefined ? {} : { default: handedOn }) }));
    for (const item of acl) print(textOf(item));
    for (const item of handedOn ?? []) print(`default ${textOf(item)}`);
  });
}

export interface SetAclFlags {
  /** Items for the children, or false where they get the open ACL again. */
  readonly default?: readonly string[] | false;
  readonly version?: number;
}

export async function setAcl(path: string, items: readonly string[], flags: SetAclFlags, shared: Shared): Promise<void> {
  const handedOn = flags.default === false ? [] : flags.default?.map(itemOf);
  if (items.length === 0 && handedOn === undefined) throw new UsageError("setacl needs items, as scheme:id:permissions, or --default");
  const acl = items.length === 0 ? null : items.map(itemOf);
  const { version } = flags;
  await withClient(shared, {}, async (client) => {
    await client.setAcl(path, acl, {
      ...(handedOn === undefined ? {} : { default: handedOn }),
      ...(version === undefined ? {} : { version }),
    });
  });
}

/** Identities that an item demands at once are joined by "+", as in claim:acme:role=editor+claim:acme:tenant=t1:read. */
function textOf(item: AclItem): string {
  const named = (item.all ?? [item]).map(({ scheme, id }) => `${scheme}:${id}`);
  return `${named.join("+")}:${item.perms.join(",")}`;
}

/** An id may hold colons: the first and the last one count. */
function itemOf(text: string): AclItem {
  const [first, last] = [text.indexOf(":"), text.lastIndexOf(":")];
  const said = text.slice(last + 1);
  const words = said.split(",");
  const perms = words.every((word) => permissions.includes(word)) ? words : [...said].map((letter) => letters[letter] ?? "");
  if (first < 1 || last === first || perms.length === 0 || perms.includes("")) {
    throw new UsageError(`${text} is not scheme:id:permissions, with ${permissions.join(", ")} or their letters rwcda`);
  }
  // Which schemes and permissions there are is for the hub to say: it may be newer than this command.
  const all = text
    .slice(0, last)
    .split(/\+(?=[a-z0-9]+:)/)
    .map((one) => ({ scheme: one.slice(0, one.indexOf(":")) as Scheme, id: one.slice(one.indexOf(":") + 1) }));
  const named = perms as readonly Permission[];
  return all.length === 1 ? { ...all[0]!, perms: named } : { all, perms: named };
}
