/**
 * The inspector's built files, read once at start into the fixed map that the server serves from.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StaticFile } from "@copse/server";

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** The files of a built page by URL path; "/" is its index. */
export function readPage(folder: string): Map<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  if (!existsSync(folder)) return files;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const contentType = contentTypes[extname(entry.name)];
    if (!entry.isFile() || contentType === undefined) continue;
    const path = join(entry.parentPath, entry.name).slice(folder.length);
    files.set(path === "/index.html" ? "/" : path, { body: readFileSync(join(folder, path)), contentType });
  }
  return files;
}

export function inspectorFiles(): Map<string, StaticFile> {
  return readPage(fileURLToPath(new URL("inspector", import.meta.url)));
}
