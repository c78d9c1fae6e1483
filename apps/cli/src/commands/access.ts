/**
 * Who may do what: rules, explain, whoami, revoke, revoked.
 */
import { readFileSync } from "node:fs";
import { type Copse, isCopseError, type Permission } from "@copse/client";
import { UsageError } from "../exit-code.ts";
import { note, print, printTable, type Shared, withClient } from "../terminal.ts";

const rulesPath = "/copse/rules";

export async function getRules(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const rules = await copse.get(rulesPath).catch((error: unknown) => {
      if (isCopseError(error, "NO_NODE")) return null;
      throw error;
    });
    if (rules === null || !rules.data) return note("there are no rules; copse rules set FILE sets them");
    print(shared.output === "json" ? JSON.stringify(JSON.parse(rules.data)) : rules.data);
  });
}

export async function setRules(file: string, flags: { readonly version?: number }, shared: Shared): Promise<void> {
  const text = textOf(file);
  await withClient(shared, {}, async (copse) => {
    const { version } = flags;
    await copse.set(rulesPath, text, version === undefined ? {} : { version }).catch(async (error: unknown) => {
      if (!isCopseError(error, "NO_NODE")) throw error;
      await copse.create(rulesPath, text);
    });
    if (shared.output === "text") print("the rules hold from now on");
  });
}

export async function removeRules(shared: Shared): Promise<void> {
  await withClient(shared, {}, async (copse) => {
    await copse.delete(rulesPath).catch((error: unknown) => {
      if (!isCopseError(error, "NO_NODE")) throw error;
    });
    if (shared.output === "text") print("there are no rules");
  });
}

/** One line of a file for `rules check`. */
interface Case {
  /** One identity as text, or several that one caller has; none for a caller without any. */
  readonly identity: string | readonly string[];
  readonly perm: Permission;
  readonly path: string;
  /** Whether it is allowed. */
  readonly expected: boolean;
}

/** Asks the hub for each case; the exit code says whether all are as expected. */
export async function checkRules(file: string, shared: Shared): Promise<void> {
  const cases = casesOf(textOf(file), file);
  await withClient(shared, { readOnly: true }, async (copse) => {
    const wrong: (Case & { readonly because: string })[] = [];
    for (const one of cases) {
      const { allowed, because } = await copse.explain(one.path, one.perm, { as: identitiesOf(one) });
      if (allowed !== one.expected) wrong.push({ ...one, because });
    }
    if (shared.output === "json") print(JSON.stringify({ cases: cases.length, wrong }));
    for (const { identity, perm, path, expected, because } of shared.output === "json" ? [] : wrong)
      print(`${identitiesOf({ identity }).join(" + ") || "nobody"} may ${expected ? "not " : ""}${perm} ${path}: ${because}`);
    if (shared.output === "text") print(`${cases.length - wrong.length} of ${cases.length} cases are as expected`);
    if (wrong.length > 0) process.exitCode = 1;
  });
}

export async function explain(perm: string, path: string, flags: { readonly as?: readonly string[] }, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const said = await copse.explain(path, perm as Permission, flags.as === undefined ? {} : { as: flags.as });
    if (shared.output === "json") return print(JSON.stringify(said));
    print(`${said.allowed ? "allowed" : "refused"}: ${said.because}`);
    for (const { index, granted } of said.rules ?? []) print(`rule ${index} matches, and ${granted ? "grants" : "does not grant"} it`);
  });
}

export async function whoAmI(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const [identities, { isAdmin }] = [await copse.whoami(), await copse.standing()];
    if (shared.output === "json") return print(JSON.stringify({ identities, admin: isAdmin }));
    for (const { scheme, id } of identities) print(`${scheme} ${id}`);
    print(isAdmin ? "an admin" : "not an admin");
  });
}

export interface RevokeFlags {
  readonly before?: string;
  readonly keepSessions?: boolean;
  readonly lift?: boolean;
}

export async function revoke(identity: string, { before, keepSessions, lift }: RevokeFlags, shared: Shared): Promise<void> {
  const time = before === undefined ? undefined : Date.parse(before);
  if (time !== undefined && Number.isNaN(time)) throw new UsageError(`${before} is not a time such as 2026-01-31T12:00:00Z`);
  await withClient(shared, {}, async (copse: Copse) => {
    const when = lift === true ? { before: 0 } : time === undefined ? {} : { before: time };
    await copse.revoke(identity, { ...when, ...(keepSessions === undefined ? {} : { keepSessions }) });
    if (shared.output === "text") print(lift === true ? `${identity} is no longer revoked` : `${identity} is revoked`);
  });
}

export async function listRevoked(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const list = await copse.revoked();
    if (shared.output === "json") return print(JSON.stringify(list));
    if (list.length === 0) return print("nothing is revoked");
    const time = (ms: number): string => new Date(ms).toISOString();
    printTable([
      ["identity", "issued before", "revoked at"],
      ...list.map(({ identity, before, at }) => [identity, time(before), time(at)]),
    ]);
  });
}

function identitiesOf({ identity }: Pick<Case, "identity">): readonly string[] {
  return typeof identity === "string" ? [identity] : identity;
}

function textOf(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch {
    throw new UsageError(`${file} can't be read`);
  }
}

function casesOf(text: string, file: string): readonly Case[] {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw new UsageError(`${file} is not JSON`);
  }
  if (!Array.isArray(said)) throw new UsageError(`${file}: must be an array of cases`);
  for (const [at, one] of (said as Partial<Case>[]).entries()) {
    const { identity, perm, path, expected } = one ?? {};
    const isIdentity = typeof identity === "string" || (Array.isArray(identity) && identity.every((each) => typeof each === "string"));
    if (!isIdentity || typeof perm !== "string" || typeof path !== "string" || typeof expected !== "boolean") {
      throw new UsageError(`${file}: case ${at} needs identity, perm, path, and expected (true or false)`);
    }
  }
  return said as readonly Case[];
}
