/**
 * Each mutation against the simulator, in a process of its own: which seed caught it, and what was violated.
 */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { bundle } from "../../support/bundle.js";
import { mutations } from "./list.js";

const script = `
const { [process.argv[4]]: runSeed } = await import(process.argv[1]);
const [first, count] = process.argv.slice(2).map(Number);
for (let seed = first; seed < first + count; seed++) {
  const { failure } = await runSeed(seed);
  if (failure !== null) {
    process.stdout.write(JSON.stringify({ seed, failure: failure.split("\\n")[0] }));
    process.exit(0);
  }
}
process.stdout.write("null");
`;

/** Runs seeds of a bundle until one fails. A member whose code throws ends its process as it would in life: that is noticed too. */
function firstFailure(file, first, count, runs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, file, String(first), String(count), runs], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("close", (code) => {
      if (code === 0) return resolve(JSON.parse(out));
      resolve({ seed: first, failure: `ended with ${code}: ${/Error: .*/.exec(err)?.[0] ?? err.slice(0, 200)}` });
    });
  });
}

/** @returns the mutation's catch, or null where `count` seeds from `first` did not notice it */
export async function tryMutation(mutation, first, count) {
  const file = await bundle("simulation/main.ts", mutation);
  try {
    return await firstFailure(`file://${file}`, first, count, mutation?.runs ?? "runSeed");
  } finally {
    rmSync(file, { force: true });
  }
}

/** Prints the table. True if all were caught and the product itself raised no alarm. */
export async function runMutations({ seedsMax, only }) {
  const chosen = mutations.filter(({ name }) => only.length === 0 || only.includes(name));
  let missed = 0;
  for (const mutation of chosen) {
    const caught = await tryMutation(mutation, 1, seedsMax);
    if (caught === null) missed++;
    const found = caught === null ? `NOT CAUGHT in ${seedsMax} seeds` : `seed ${String(caught.seed).padStart(4)}  ${caught.failure}`;
    console.log(`${mutation.name.padEnd(4)} ${mutation.what.padEnd(62)} ${found}`);
  }
  const clean = await tryMutation(null, 1, 50);
  console.log(clean === null ? "clean: no alarm in 50 seeds" : `clean: seed ${clean.seed} ${clean.failure}`);
  console.log(`${chosen.length - missed} caught, ${missed} missed`);
  return missed === 0 && clean === null;
}
