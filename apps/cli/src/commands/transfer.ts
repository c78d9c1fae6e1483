/**
 * import and export: a subtree as readable text, as NDJSON or as one JSON array with a znode on each line.
 *
 * Ephemerals are left out unless asked for. An import is written in batches, each atomic; it says how far it came.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";
import { CopseError, isCopseError } from "@copse/client";
import { type CarriedZnode, carrySubtree, formatZnode, parseZnode, type Written, writeSubtree } from "@copse/client/subtree";
import { UsageError } from "../exit-code.ts";
import { note, progress, type Shared, withClient } from "../terminal.ts";

export async function exportTree(path: string, options: { file?: string; ephemerals?: boolean }, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    // Before the first line: a file in which something is missing looks like one in which nothing is.
    const { znodes } = await carrySubtree(copse, path, { ephemerals: options.ephemerals === true });
    const out = options.file === undefined ? process.stdout : createWriteStream(options.file);
    const isArray = shared.output === "json";
    if (isArray) await write(out, "[\n");
    for (const [at, znode] of znodes.entries()) {
      const end = !isArray ? "\n" : at === znodes.length - 1 ? "\n]\n" : ",\n";
      await write(out, formatZnode(znode) + end);
      if (at % 1_000 === 0) progress(`exported ${at} of ${znodes.length}`);
    }
    if (out !== process.stdout) await new Promise<void>((resolve) => out.end(resolve));
    progress("");
    if (options.file !== undefined) note(`exported ${znodes.length} znodes from ${path} to ${options.file}`);
  });
}

/** Waits until the stream has room: a slow reader holds the export back, not the memory. */
function write(out: Writable, text: string): Promise<void> | undefined {
  return out.write(text) ? undefined : new Promise((resolve) => out.once("drain", resolve));
}

export async function importTree(path: string, options: { file?: string; conflict: string }, shared: Shared): Promise<void> {
  const { conflict } = options;
  if (conflict !== "fail" && conflict !== "skip" && conflict !== "overwrite") throw new UsageError("--conflict is fail, skip or overwrite");
  await withClient(shared, {}, async (copse) => {
    let sofar: Written = { written: 0, skipped: 0 };
    const onProgress = (written: Written): void => {
      sofar = written;
      progress(`imported ${sofar.written}`);
    };
    try {
      await writeSubtree(copse, path, readZnodes(options.file), { conflict, onProgress });
    } catch (error) {
      progress("");
      note(`stopped after ${sofar.written} znodes; what was imported stays`);
      if (!isCopseError(error, "NODE_EXISTS")) throw error;
      throw new CopseError("NODE_EXISTS", "the znode exists; pass --conflict skip or --conflict overwrite", { path: error.path });
    }
    progress("");
    note(`imported ${sofar.written} znodes to ${path}${sofar.skipped > 0 ? `, left ${sofar.skipped} as they were` : ""}`);
  });
}

async function* readZnodes(file: string | undefined): AsyncGenerator<CarriedZnode> {
  const lines = createInterface({
    input: file === undefined || file === "-" ? process.stdin : createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  let number = 0;
  for await (const line of lines) {
    const znode = parsed(line, ++number);
    if (znode !== null) yield znode;
  }
}

function parsed(line: string, number: number): CarriedZnode | null {
  try {
    return parseZnode(line, number);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
