/**
 * import and export: a subtree as readable text.
 *
 * The form is one JSON object for each znode, parents first, its path relative to the subtree: as NDJSON, or as one JSON
 * array. Ephemerals are left out unless asked for, because they belong to a session. An import is written in multis, each
 * atomic; it says how far it came.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";
import { type Copse, CopseError, isCopseError, type MultiOp } from "@copse/client";
import { UsageError } from "../exit-code.ts";
import { note, progress, type Shared, shownDataOf, withClient } from "../terminal.ts";
import { readSubtree } from "./subtree.ts";

interface Exported {
  readonly path: string;
  readonly data?: string;
  readonly data64?: string;
}

export async function exportTree(path: string, options: { file?: string; ephemerals?: boolean }, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const znodes = await readSubtree(copse, path, true);
    const kept = znodes.filter(({ path: at, stat }) => !isSystem(at) && (options.ephemerals === true || stat.ephemeralOwner === null));
    // Before the first line: a file in which something is missing looks like one in which nothing is.
    const hidden = kept.find(({ isDenied }) => isDenied);
    if (hidden !== undefined) throw new CopseError("NO_AUTH", "its data may not be read; nothing was exported", { path: hidden.path });
    const out = options.file === undefined ? process.stdout : createWriteStream(options.file);
    const isArray = shared.output === "json";
    if (isArray) await write(out, "[\n");
    for (const [at, znode] of kept.entries()) {
      const exported: Exported = { path: relative(path, znode.path), ...shownDataOf(znode.data, znode.bytes) };
      const end = !isArray ? "\n" : at === kept.length - 1 ? "\n]\n" : ",\n";
      await write(out, JSON.stringify(exported) + end);
      if (at % 1_000 === 0) progress(`exported ${at} of ${kept.length}`);
    }
    if (out !== process.stdout) await new Promise<void>((resolve) => out.end(resolve));
    progress("");
    if (options.file !== undefined) note(`exported ${kept.length} znodes from ${path} to ${options.file}`);
  });
}

/** What the system keeps for itself can't be imported anywhere. */
function isSystem(path: string): boolean {
  return path === "/copse" || path.startsWith("/copse/");
}

/** Waits until the stream has room: a slow reader holds the export back, not the memory. */
function write(out: Writable, text: string): Promise<void> | undefined {
  return out.write(text) ? undefined : new Promise((resolve) => out.once("drain", resolve));
}

function relative(top: string, path: string): string {
  if (path === top) return ".";
  return path.slice(top === "/" ? 1 : top.length + 1);
}

/** Ops and bytes of data in one multi of an import. */
const batchOps = 500;
const batchBytes = 524_288;

export type Conflict = "fail" | "skip" | "overwrite";

export async function importTree(path: string, options: { file?: string; conflict: string }, shared: Shared): Promise<void> {
  const { conflict } = options;
  if (conflict !== "fail" && conflict !== "skip" && conflict !== "overwrite") throw new UsageError("--conflict is fail, skip or overwrite");
  await withClient(shared, {}, async (copse) => {
    let imported = 0;
    let skipped = 0;
    let batch: Exported[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const outcome = await importBatch(copse, path, batch, conflict);
      imported += outcome.imported;
      skipped += outcome.skipped;
      batch = [];
      bytes = 0;
      progress(`imported ${imported}`);
    };
    try {
      for await (const exported of readExported(options.file)) {
        batch.push(exported);
        bytes += (exported.data ?? exported.data64 ?? "").length;
        if (batch.length >= batchOps || bytes >= batchBytes) await flush();
      }
      if (batch.length > 0) await flush();
    } catch (error) {
      progress("");
      note(`stopped behind ${imported} znodes; what was imported stays`);
      throw error;
    }
    progress("");
    note(`imported ${imported} znodes to ${path}${skipped > 0 ? `, left ${skipped} as they were` : ""}`);
  });
}

async function importBatch(
  copse: Copse,
  path: string,
  batch: readonly Exported[],
  conflict: Conflict,
): Promise<{ imported: number; skipped: number }> {
  const ops: MultiOp[] = [];
  let skipped = 0;
  const stats = await Promise.all(batch.map((exported) => copse.exists(absolute(path, exported.path))));
  for (const [at, exported] of batch.entries()) {
    const to = absolute(path, exported.path);
    const data = exported.data64 === undefined ? (exported.data ?? null) : Buffer.from(exported.data64, "base64");
    if (stats[at] === null) ops.push({ op: "create", path: to, data });
    else if (to === "/" || conflict === "skip") skipped++;
    else if (conflict === "overwrite") ops.push({ op: "set", path: to, data });
    else throw new CopseError("NODE_EXISTS", "the znode exists; --conflict skip or overwrite says what to do", { path: to });
  }
  const first = ops[0];
  if (first?.op === "create" && first.path !== "/") await createAncestors(copse, first.path);
  if (ops.length > 0) await copse.multi(ops);
  return { imported: ops.length, skipped };
}

async function createAncestors(copse: Copse, path: string): Promise<void> {
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (parent === "" || (await copse.exists(parent)) !== null) return;
  await copse.create(parent, null, { parents: true }).catch((error: unknown) => {
    if (!isCopseError(error, "NODE_EXISTS")) throw error;
  });
}

function absolute(top: string, path: string): string {
  if (path === "." || path === "") return top;
  return top === "/" ? `/${path}` : `${top}/${path}`;
}

/** NDJSON, or a JSON array with one znode on each line: both are read line by line. */
async function* readExported(file: string | undefined): AsyncGenerator<Exported> {
  const lines = createInterface({
    input: file === undefined || file === "-" ? process.stdin : createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  let number = 0;
  for await (const line of lines) {
    number++;
    const text = line.trim().replace(/,$/, "");
    if (text === "" || text === "[" || text === "]") continue;
    yield parseExported(text, number);
  }
}

function parseExported(text: string, line: number): Exported {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new UsageError(`line ${line} is not JSON`);
  }
  const { path, data, data64 } = parsed as Record<string, unknown>;
  if (typeof path !== "string") throw new UsageError(`line ${line} has no path`);
  if (data !== undefined && typeof data !== "string") throw new UsageError(`line ${line}: data is text`);
  if (data64 !== undefined && typeof data64 !== "string") throw new UsageError(`line ${line}: data64 is text`);
  return { path, ...(data === undefined ? {} : { data }), ...(data64 === undefined ? {} : { data64 }) };
}
