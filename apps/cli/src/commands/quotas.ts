/**
 * quota: how many znodes a subtree may have, and how many bytes.
 */
import { isCopseError } from "@copse/client";
import { UsageError } from "../exit-code.ts";
import { print, printTable, type Shared, withClient } from "../terminal.ts";

export interface QuotaFlags {
  readonly count?: number;
  readonly bytes?: number;
  readonly softCount?: number;
  readonly softBytes?: number;
}

const root = "/copse/quota";

function quotaPath(path: string): string {
  if (!path.startsWith("/")) throw new UsageError(`${path} is not a path: it begins with /`);
  return path === "/" ? root : root + path;
}

export async function listQuotas(shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (client) => {
    const quotas = await client.quotas();
    if (shared.output === "json") return print(JSON.stringify(quotas));
    if (quotas.length === 0) return print("no quotas; copse quota set PATH --count N --bytes N sets one");
    const bound = (used: number, soft: number | undefined, hard: number | undefined): string =>
      `${used} of ${soft ?? "–"} / ${hard ?? "–"}${used > (soft ?? used) ? ", over" : ""}`;
    printTable([
      ["path", "znodes (soft / hard)", "bytes (soft / hard)"],
      ...quotas.map(({ path, used, ...quota }) => [
        path,
        bound(used.count, quota.softCount, quota.count),
        bound(used.bytes, quota.softBytes, quota.bytes),
      ]),
    ]);
  });
}

export async function setQuota(path: string, flags: QuotaFlags, shared: Shared): Promise<void> {
  const { count, bytes, softCount, softBytes } = flags;
  const quota = { count, bytes, softCount, softBytes };
  if (Object.values(quota).every((bound) => bound === undefined)) throw new UsageError("say at least one bound, such as --count 100");
  const at = quotaPath(path);
  await withClient(shared, {}, async (client) => {
    const data = JSON.stringify(quota);
    await client.create(at, data, { parents: true }).catch(async (error: unknown) => {
      if (!isCopseError(error, "NODE_EXISTS")) throw error;
      await client.set(at, data);
    });
    print(shared.output === "json" ? data : `${path} has a quota`);
  });
}

export async function removeQuota(path: string, shared: Shared): Promise<void> {
  const at = quotaPath(path);
  await withClient(shared, {}, async (client) => {
    // What holds the quotas of paths below stays, and says none itself.
    if (at === root) await client.set(at, null);
    else {
      await client.delete(at).catch(async (error: unknown) => {
        if (!isCopseError(error, "NOT_EMPTY")) throw error;
        await client.set(at, null);
      });
    }
    if (shared.output === "text") print(`${path} has no quota`);
  });
}
