/**
 * `pnpm simulate`, `pnpm mutations`, `pnpm check-history`: what they print is for people, the exit code is for scripts.
 */
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { bundle } from "../support/bundle.js";

const [command, ...given] = process.argv.slice(2);

async function load(mutation = null) {
  const file = await bundle("simulation/main.ts", mutation);
  try {
    return await import(pathToFileURL(file).href);
  } finally {
    rmSync(file, { force: true });
  }
}

function flag(name, otherwise) {
  const at = given.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(given[at + 1]);
}

async function checkHistory() {
  if (given.length === 0) {
    console.error("check-history FILE… reads histories of one register as Jepsen prints them");
    return 2;
  }
  const { isRegisterLinearizable, parseJepsenHistory } = await load();
  for (const file of given) {
    const verdict = isRegisterLinearizable(parseJepsenHistory(readFileSync(resolve(file), "utf8")));
    console.log(`${file} ${verdict ? "linearizable" : "not linearizable"}`);
  }
  return 0;
}

async function simulate() {
  const { simulate: run } = await load();
  return (await run({
    seeds: flag("seeds", 1),
    seed: flag("seed", undefined),
    isVerbose: given.includes("--verbose"),
    areRecipes: given.includes("--recipes"),
  }))
    ? 0
    : 1;
}

async function mutations() {
  const { runMutations } = await import("./mutations/run.js");
  return (await runMutations({ seedsMax: flag("seeds", 2_000), only: given.filter((name) => /^[MR]\d+$/.test(name)) })) ? 0 : 1;
}

const commands = { simulate, mutations, "check-history": checkHistory };
process.exitCode = await commands[command]();
