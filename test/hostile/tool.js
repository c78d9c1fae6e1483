/**
 * `pnpm fuzz --frames N [--seed S]`: so many frames of rubbish at a hub that runs, and what came of it.
 */
import { rmSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { bundle } from "../support/bundle.js";

function flag(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

const file = await bundle("hostile/fuzz.ts");
const { fuzz } = await import(pathToFileURL(file).href).finally(() => rmSync(file, { force: true }));
const startedAt = performance.now();
const { seed, frames, closed, errors, strangers, p99Ms, heapBytes } = await fuzz(
  flag("frames", 100_000),
  flag("seed", Date.now() % 1_000_000_000),
);
const counts = (of) =>
  Object.entries(of)
    .map(([name, count]) => `${count} ${name}`)
    .join(" · ");
const mebibytes = (bytes) => (bytes / 1_048_576).toFixed(1);
console.log(`seed ${seed}: ${frames} frames in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s, no crash`);
console.log(`connections closed: ${counts(closed)}`);
console.log(`errors: ${counts(errors)}`);
console.log(`strangers who held what they could: ${counts(strangers)}`);
console.log(`another client's get, p99: ${p99Ms.good.toFixed(1)} ms beside good requests, ${p99Ms.rubbish.toFixed(1)} ms beside rubbish`);
console.log(`live heap: ${mebibytes(heapBytes.early)} MiB after a tenth of the frames, ${mebibytes(heapBytes.late)} MiB at the end`);
process.exit(0);
