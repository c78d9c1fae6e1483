/**
 * A page whose modules are the packages as they are published, unbundled, found through an import map.
 */
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, extname, join, normalize } from "node:path";
import { root } from "./processes.ts";

const types: Readonly<Record<string, string>> = { ".js": "text/javascript", ".mjs": "text/javascript", ".html": "text/html" };
/** Where the modules of each are. @param from a folder where the packages are installed, or null for this workspace */
function moduleFolders(from: string | null): Readonly<Record<string, string>> {
  const own = (name: string): string => (from === null ? join(root, "packages", name) : join(from, "node_modules/@copse", name));
  const { resolve } = createRequire(join(own("recipes"), "package.json"));
  return {
    client: join(own("client"), "dist"),
    recipes: join(own("recipes"), "dist"),
    nanoid: dirname(resolve("nanoid")),
    immer: join(dirname(resolve("immer")), ".."),
    suite: join(root, "test/packaging"),
  };
}

export const importMap = {
  imports: {
    "@copse/client": "/client/index.js",
    "@copse/client/immer": "/client/immer.js",
    "@copse/client/path": "/client/path.js",
    "#web-socket": "/client/web-socket-global.js",
    "@copse/recipes/": "/recipes/",
    nanoid: "/nanoid/index.browser.js",
    immer: "/immer/immer.production.mjs",
  },
};

export interface ModulePage {
  /** The origin. Any path that is no module is the page; it may name another. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a page that runs `script`, a module's text, on the packages of this workspace or of the folder `from`. */
export async function serveModulePage(script: string, from: string | null = null): Promise<ModulePage> {
  const folders = moduleFolders(from);
  const page = `<!doctype html><meta charset="utf-8"><title>modules</title>
<script type="importmap">${JSON.stringify(importMap)}</script><script type="module">${script}</script>`;
  return serveFiles(page, (path) => {
    const [, folder = "", ...rest] = path.split("/");
    const top = folders[folder];
    if (top === undefined) return null;
    const file = join(top, ...rest);
    return folder === "recipes" && extname(file) === "" ? `${file}.js` : file;
  });
}

/** Serves a folder as it is, and `page` at `/`. */
export function serveFolder(folder: string, page: string): Promise<ModulePage> {
  return serveFiles(page, (path) => (path === "/" ? null : join(folder, path)));
}

/** @param fileOf the file of a path, or null for the page */
async function serveFiles(page: string, fileOf: (path: string) => string | null): Promise<ModulePage> {
  const server = createServer((request, response) => {
    const file = fileOf(normalize(new URL(request.url ?? "/", "http://page").pathname));
    if (file === null || !existsSync(file)) {
      response.writeHead(file === null ? 200 : 404, { "Content-Type": "text/html" });
      response.end(page);
    } else {
      response.writeHead(200, { "Content-Type": types[extname(file)] ?? "text/plain" });
      createReadStream(file).pipe(response);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
