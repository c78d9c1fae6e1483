/**
 * `npm run demo`: a hub, a page that follows its config, three workers that take turns on one lock.
 *
 * Everything is a process of its own, as it would be in life. Ctrl-C ends them all; nothing stays behind.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare, root } from "./bootstrap.js";
import { freePort } from "./free-port.js";

prepare();
const folder = mkdtempSync(join(tmpdir(), "copse-demo-"));

const hubPort = await freePort(Number(process.env.COPSE_DEMO_PORT ?? 7181));
const pagePort = await freePort(Number(process.env.COPSE_DEMO_PAGE_PORT ?? 7182));
const url = `ws://127.0.0.1:${hubPort}`;
const flags = hubPort === 7181 ? "" : ` --url ${url}`;
const children = [];

function start(program, args, options = {}) {
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"], ...options });
  children.push(child);
  return child;
}

function copse(...args) {
  return start(process.execPath, [join(root, "apps/cli/bin/copse.js"), "--url", url, ...args]);
}

function stop(code) {
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    child.stdout.once("data", resolve);
    child.once("exit", (code) => reject(new Error(`a part of the demo ended with ${code}`)));
  });
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stop(0));
try {
  await firstLine(copse("serve", "--listen", `127.0.0.1:${hubPort}`, "--data", join(folder, "data"), "--log-level", "silent"));
  await firstLine(copse("set", "/config/web", "--file", join(root, "apps/examples/config.json"), "--create"));
  const vite = join(root, "apps/examples/node_modules/.bin/vite");
  await firstLine(
    start(vite, ["preview", "--config", "apps/examples/vite.config.ts", "--host", "127.0.0.1", "--port", String(pagePort), "--strictPort"]),
  );
} catch (error) {
  console.error(`copse: ${error.message}`);
  stop(1);
}

console.log(`
  Open     http://127.0.0.1:${pagePort}/${flags === "" ? "" : `?hub=${url}`}     a page that follows /config/web
  Open     http://127.0.0.1:${hubPort}/     the tree, live
  and change the config in a second terminal:

    npx copse${flags} set /config/web '{"title":"Hello","theme":"dark","limit":7,"banner":"from the command line"}'

  Three workers count in one file, under the lock /locks/counter. Kill one with kill -9 and see what the others do.
  Ctrl-C ends the demo.
`);
for (const name of ["ash", "birch", "cedar"]) {
  const file = join(folder, "counter.json");
  const worker = start(process.execPath, [
    join(root, "apps/examples/dist/lock-worker.js"),
    "--url",
    url,
    "--name",
    name,
    "--file",
    file,
    "--turns",
    "1000000",
    "--pause-ms",
    "1500",
  ]);
  worker.stdout.pipe(process.stdout);
  worker.once(
    "exit",
    (_code, signal) => signal !== null && console.log(`${name} was ended by ${signal}; its lock goes on once its session has expired`),
  );
}
