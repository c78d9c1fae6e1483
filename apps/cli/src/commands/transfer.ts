/**
 * import and export: a subtree as readable text, as NDJSON or as one JSON array with a znode on each line.
 *
 * An export reads everything before it prints the first line: a file in which something is missing would look like one in which nothing is.
 * An import reads everything before it writes the first znode, then writes in batches, each atomic; it says how far it came.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";
import { type Copse, CopseError, isCopseError } from "@copse/client";
import { type CarriedZnode, carrySubtree, type Written, withAcls, writeSubtree } from "@copse/client/subtree";
import { planRestore, restoreSubtree } from "@copse/client/subtree-restore";
import { formatSubtree, isSalted, parseSubtree, type SubtreeText } from "@copse/client/subtree-text";
import { UsageError } from "../exit-code.ts";
import { note, print, progress, type Shared, withClient } from "../terminal.ts";

export interface ExportFlags {
  readonly file?: string;
  readonly ephemerals?: boolean;
  /** False with --no-acls. */
  readonly acls?: boolean;
}

export async function exportTree(path: string, { file, ephemerals = false, acls = true }: ExportFlags, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const carried = await carrySubtree(copse, path, { ephemerals });
    const znodes = acls ? await withAcls(copse, path, carried.znodes) : carried.znodes;
    const { salt = "" } = await copse.ensemble();
    const out = file === undefined ? process.stdout : createWriteStream(file);
    const isArray = shared.output === "json";
    if (isArray) await write(out, "[\n");
    let at = 0;
    for (const line of formatSubtree(znodes, salt)) {
      const isLast = at === znodes.length + 1;
      await write(out, line + (!isArray ? "\n" : isLast ? "\n]\n" : ",\n"));
      if (at++ % 1_000 === 0) progress(`exported ${at} of ${znodes.length}`);
    }
    if (out !== process.stdout) await new Promise<void>((resolve) => out.end(resolve));
    progress("");
    if (file !== undefined) note(`exported ${znodes.length} znodes from ${path} to ${file}`);
    if (carried.ephemerals.length > 0) note(`left out ${carried.ephemerals.length} ephemerals: they belong to sessions`);
  });
}

/** Waits until the stream has room: a slow reader holds the export back, not the memory. */
function write(out: Writable, text: string): Promise<void> | undefined {
  return out.write(text) ? undefined : new Promise((resolve) => out.once("drain", resolve));
}

export interface ImportFlags {
  readonly file?: string;
  readonly conflict: string;
  readonly unchecked?: boolean;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
  /** False with --no-acls or --no-counters. */
  readonly acls?: boolean;
  readonly counters?: boolean;
}

export async function importTree(path: string, flags: ImportFlags, shared: Shared): Promise<void> {
  const { conflict, file, unchecked = false, acls = true, counters = true, replace = false, dryRun = false } = flags;
  if (dryRun && !replace) throw new UsageError("--dry-run belongs to --replace");
  if (conflict !== "fail" && conflict !== "skip" && conflict !== "overwrite") throw new UsageError("--conflict is fail, skip or overwrite");
  const text = await readText(file, unchecked);
  const left = text.znodes.filter(({ isEphemeral }) => isEphemeral === true).length;
  const znodes = acls ? text.znodes : text.znodes.map(withoutAcls);
  await withClient(shared, {}, async (copse) => {
    await check(copse, znodes, text.salt, counters);
    if (replace) return replaceTree(copse, path, znodes, { counters, dryRun });
    let sofar: Written = { written: 0, skipped: 0 };
    const onProgress = (written: Written): void => {
      sofar = written;
      progress(`imported ${sofar.written}`);
    };
    try {
      await writeSubtree(copse, path, znodes, { conflict, overwritesAcls: true, counters, onProgress });
    } catch (error) {
      progress("");
      note(`stopped after ${sofar.written} znodes; what was imported stays`);
      if (!isCopseError(error, "NODE_EXISTS")) throw error;
      throw new CopseError("NODE_EXISTS", "the znode exists; pass --conflict skip or --conflict overwrite", { path: error.path });
    }
    progress("");
    note(`imported ${sofar.written} znodes to ${path}${sofar.skipped > 0 ? `, left ${sofar.skipped} as they were` : ""}`);
    if (left > 0) note(`left out ${left} ephemerals: they belonged to sessions`);
  });
}

/** Makes the subtree what the file says, in one txn, or says what that would change. */
async function replaceTree(
  copse: Copse,
  path: string,
  znodes: readonly CarriedZnode[],
  { counters, dryRun }: { readonly counters: boolean; readonly dryRun: boolean },
): Promise<void> {
  const plan = await planRestore(copse, path, znodes, { counters });
  const { created, changed, deleted } = plan;
  if (dryRun) {
    for (const [sign, paths] of [
      ["-", deleted],
      ["+", created],
      ["~", changed],
    ] as const) {
      for (const one of paths) print(`${sign} ${one}`);
    }
  } else await restoreSubtree(copse, path, plan);
  note(
    `${dryRun ? "would create" : "created"} ${created.length}, ${dryRun ? "change" : "changed"} ${changed.length}, ${dryRun ? "delete" : "deleted"} ${deleted.length}`,
  );
}

/** What would fail half-way is refused before anything is written. */
async function check(copse: Copse, znodes: readonly CarriedZnode[], salt: string | null, counters: boolean): Promise<void> {
  const { salt: own } = await copse.ensemble();
  const salted = znodes.find(({ kind, defaultAcl }) => [...(kind?.acl ?? []), ...(defaultAcl ?? [])].some(isSalted));
  if (salted !== undefined && salt !== null && own !== undefined && salt !== own) {
    throw new CopseError(
      "INVALID_ACL",
      "its ACL names a password of another cluster, which nobody could prove here; pass --no-acls and set the ACLs anew",
      { path: salted.path },
    );
  }
  if (counters && znodes.some(({ counter = 0 }) => counter > 0) && !(await copse.explain("/", "admin")).allowed) {
    throw new CopseError("NO_AUTH", "sequence counters need admin permission; with --no-counters, sequential names may be used again");
  }
}

function withoutAcls({ kind = {}, defaultAcl: _, ...znode }: CarriedZnode): CarriedZnode {
  const { acl: _acl, ...rest } = kind;
  return { ...znode, kind: rest };
}

async function readText(file: string | undefined, isUnchecked: boolean): Promise<SubtreeText> {
  const input = file === undefined || file === "-" ? process.stdin : createReadStream(file);
  const lines: string[] = [];
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) lines.push(line);
  try {
    return parseSubtree(lines, { isUnchecked });
  } catch (error) {
    throw new UsageError(
      `${(error as Error).message}${isUnchecked ? "" : ". Pass --unchecked for a file without the first and last line of an export"}`,
    );
  }
}
