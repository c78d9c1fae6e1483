/**
 * A tool and the product's sources as one module that Node runs as it is.
 *
 * A mutation is a change of the sources on their way into the bundle: the product's code holds no switches for it. One
 * whose text is no longer there fails, so that none is silently without effect.
 */
import { mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "vite";

const root = join(import.meta.dirname, "../..");
const alias = [
  { find: /^@copse\/([a-z]+)$/, replacement: join(root, "packages/$1/src/index.ts") },
  { find: /^@copse\/([a-z]+)\/([a-z-]+)$/, replacement: join(root, "packages/$1/src/$2.ts") },
  { find: /^#web-socket$/, replacement: join(root, "packages/client/src/web-socket-node.ts") },
];

/**
 * @param {string} entry what to run, from the folder of the tests
 * @param {{ name: string, patches: { file: string, from: string, to: string }[] } | null} mutation
 * @returns {Promise<string>} the file of the bundle
 */
export async function bundle(entry, mutation = null) {
  const folder = join(root, "test/.build");
  const name = `${basename(entry, ".ts")}-${mutation?.name ?? "clean"}-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  const left = new Set(mutation?.patches ?? []);
  const mutate = {
    name: "mutate",
    enforce: "pre",
    transform(code, id) {
      let changed = code;
      for (const patch of [...left]) {
        if (!id.endsWith(`/${patch.file}`)) continue;
        if (changed.split(patch.from).length !== 2) throw new Error(`${mutation.name} does not apply to ${patch.file}: ${patch.from}`);
        changed = changed.replace(patch.from, () => patch.to);
        left.delete(patch);
      }
      return changed === code ? null : changed;
    },
  };
  await build({
    root,
    configFile: false,
    logLevel: "error",
    resolve: { alias },
    plugins: [mutate],
    build: {
      ssr: join(root, "test", entry),
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      target: "node20",
      rollupOptions: { output: { entryFileNames: `${name}.mjs` }, external: ["ws", "pino"] },
    },
    ssr: { noExternal: [/@copse/] },
  });
  if (left.size > 0) throw new Error(`${mutation.name} does not apply: ${[...left].map(({ file }) => file).join(", ")} is not loaded`);
  return join(folder, `${name}.mjs`);
}
