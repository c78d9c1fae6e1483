/**
 * The subcommands for single znodes: get, set, create, rm, ls, stat, tree, watch.
 */
import { readFileSync } from "node:fs";
import { type Change, CopseError, type CopseErrorCode, isCopseError, type LiveZnode, type Stat } from "@copse/client";
import { nameOf } from "@copse/client/path";
import { readSubtree } from "@copse/client/subtree";
import { UsageError } from "../exit-code.ts";
import { interrupted, note, print, type Shared, shownDataOf, withClient } from "../terminal.ts";

export async function get(path: string, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const { data, bytes, stat } = await copse.get(path);
    if (shared.output === "json") print(JSON.stringify({ path, ...shownDataOf(data, bytes), stat }));
    else if (bytes !== null) process.stdout.write(bytes);
    else print(data ?? "");
  });
}

export async function set(
  path: string,
  data: string | undefined,
  options: { file?: string; version?: number; create?: boolean },
  shared: Shared,
): Promise<void> {
  const value = dataOf(data, options.file);
  const version = options.version === undefined ? {} : { version: options.version };
  await withClient(shared, {}, async (copse) => {
    const stat = await copse.set(path, value, version).catch(async (error: unknown) => {
      if (options.create !== true || !isCopseError(error, "NO_NODE")) return hint("NO_NODE", "--create creates it")(error);
      return (await copse.create(path, value, { parents: true })).stat;
    });
    if (shared.output === "json") print(JSON.stringify({ path, stat }));
    else print(`${path} has version ${stat.version}`);
  });
}

/** Says what may help, after an error of this code; gives the error on. */
function hint(code: CopseErrorCode, help: string): (error: unknown) => never {
  return (error) => {
    if (isCopseError(error, code)) note(`copse: ${help}`);
    throw error;
  };
}

export interface CreateFlags {
  readonly file?: string;
  readonly sequential?: boolean;
  readonly container?: boolean;
  readonly ttl?: number;
  readonly parents?: boolean;
  readonly ephemeral?: boolean;
}

export async function create(path: string, data: string | undefined, { file, ...flags }: CreateFlags, shared: Shared): Promise<void> {
  const value = data === undefined && file === undefined ? null : dataOf(data, file);
  await withClient(shared, {}, async (copse) => {
    const created = await copse.create(path, value, flags).catch(hint("NO_NODE", "--parents creates it"));
    print(shared.output === "json" ? JSON.stringify(created) : created.path);
    if (flags.ephemeral !== true) return;
    const signal = interrupted();
    if (process.stderr.isTTY) process.stderr.write("held until Ctrl-C\n");
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
      copse.sessionSignal.addEventListener("abort", () => reject(copse.sessionSignal.reason), { once: true });
    });
  });
}

export async function remove(path: string, options: { recursive?: boolean; version?: number }, shared: Shared): Promise<void> {
  await withClient(shared, {}, async (copse) => {
    const deleted = await copse.delete(path, options);
    if (shared.output === "json") print(JSON.stringify({ path, deleted }));
    else print(deleted === 1 ? `deleted ${path}` : `deleted ${path} and ${deleted - 1} below`);
  });
}

const pageNames = 10_000;

export async function list(path: string, options: { long?: boolean }, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    let after: string | undefined;
    do {
      const page: { children: { name: string; stat: Stat }[]; after?: string } = await copse.childrenWithStats(path, {
        limit: pageNames,
        ...(after === undefined ? {} : { after }),
      });
      for (const { name, stat } of page.children) {
        if (shared.output === "json") print(JSON.stringify({ name, stat }));
        else print(options.long === true ? longLine(name, stat) : name);
      }
      after = page.after;
    } while (after !== undefined);
  });
}

function longLine(name: string, stat: Stat): string {
  const kind = stat.ephemeralOwner !== null ? "ephemeral" : stat.container === true ? "container" : stat.ttl !== undefined ? "ttl" : "";
  const when = new Date(stat.mtime).toISOString();
  return `${String(stat.numChildren).padStart(7)} children  ${String(stat.dataLength).padStart(8)} B  v${String(stat.version).padEnd(5)} ${when}  ${name}${kind && `  (${kind})`}`;
}

export async function stat(path: string, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const found = await copse.exists(path);
    if (found === null) throw new CopseError("NO_NODE", "the znode does not exist", { path });
    if (shared.output === "json") return print(JSON.stringify(found));
    for (const [name, value] of Object.entries(found)) {
      const shown = name === "ctime" || name === "mtime" ? `${value}  ${new Date(Number(value)).toISOString()}` : String(value);
      print(`${name.padEnd(15)} ${shown}`);
    }
  });
}

export async function tree(path: string, options: { depth?: number; data?: boolean }, shared: Shared): Promise<void> {
  await withClient(shared, { readOnly: true }, async (copse) => {
    const znodes = await readSubtree(copse, path, { data: options.data === true });
    const depthOf = (at: string): number => (at === "/" ? 0 : at.split("/").length - 1);
    const top = depthOf(path);
    for (const znode of znodes) {
      const depth = depthOf(znode.path) - top;
      if (options.depth !== undefined && depth > options.depth) continue;
      if (shared.output === "json") print(JSON.stringify(znode));
      else print(`${"  ".repeat(depth)}${depth === 0 ? znode.path : nameOf(znode.path)}${headOf(znode)}`);
    }
  });
}

function headOf({ data, bytes, stat: { ephemeralOwner } }: LiveZnode): string {
  const owned = ephemeralOwner === null ? "" : "  (ephemeral)";
  if (bytes !== null) return `${owned}  = ${bytes.length} bytes`;
  if (data === null) return owned;
  const line = JSON.stringify(data);
  return `${owned}  = ${line.length > 80 ? `${line.slice(0, 79)}…` : line}`;
}

export async function watch(path: string, options: { scope: string; count?: number }, shared: Shared): Promise<void> {
  const { scope } = options;
  if (scope !== "node" && scope !== "children" && scope !== "tree") throw new UsageError("--scope is node, children or tree");
  const signal = interrupted();
  await withClient(shared, { readOnly: true }, async (copse) => {
    const changes = copse.changes(path, { scope, signal });
    let left = options.count ?? Number.POSITIVE_INFINITY;
    try {
      for await (const change of changes) {
        print(shared.output === "json" ? JSON.stringify(change) : changeLine(change));
        if (--left <= 0) return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  });
}

function changeLine({ kind, path, zxid, znode }: Change): string {
  const shown = znode === null || kind === "children" || kind === "acl" ? "" : headOf(znode);
  return `${String(zxid).padStart(8)}  ${kind.padEnd(8)}  ${path}${shown}`;
}

/** Data from the argument, from a file, or from standard input for "-". */
export function dataOf(data: string | undefined, file: string | undefined): string | Uint8Array {
  if (data !== undefined && file !== undefined) throw new UsageError("give the data or --file, not both");
  if (file !== undefined || data === "-") {
    const bytes = readFileSync(file === undefined || file === "-" ? 0 : file);
    return bytes;
  }
  if (data === undefined) throw new UsageError("give the data, or --file");
  return data;
}
