/**
 * What a person at the page waits for: from a set being acknowledged to its value painted, and `npm start` a second time.
 *
 *   node page.js '{"folder":"/tmp/x","root":"…","port":7294}'
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { connect } from "@copse/client";
import { chromium } from "playwright";
import { findChromium } from "../../apps/cli/bin/chromium.js";

const { folder, root, port } = JSON.parse(process.argv[2] ?? "{}");
const from = performance.now();
const start = spawn(process.execPath, [join(root, "apps/cli/bin/start.js"), "--data", folder, "--listen", `127.0.0.1:${port}`]);
await new Promise((resolve) => start.stdout.once("data", resolve));
const secondStartMs = performance.now() - from;
const args =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const browser = await chromium.launch({ executablePath: findChromium(), args: args.split(" ") });
const page = await browser.newPage();
const copse = await connect(`ws://127.0.0.1:${port}`);
await copse.create("/shown", "0");
await page.goto(`http://127.0.0.1:${port}/#/n/shown`);
await page.getByText("0", { exact: true }).first().waitFor();
const times = [];
for (let round = 1; round <= 30; round++) {
  const text = `value ${round}`;
  // Resolves in the page, after the frame in which the text was painted.
  const painted = page.evaluate(
    (wanted) =>
      new Promise((resolve) => {
        const look = () => {
          const shown = document
            .querySelector("copse-inspector")
            .shadowRoot.querySelector("copse-znode")
            .shadowRoot.querySelector("pre")?.textContent;
          if (shown === wanted) requestAnimationFrame(() => resolve(Date.now()));
          else requestAnimationFrame(look);
        };
        look();
      }),
    text,
  );
  await copse.set("/shown", text);
  const acknowledged = Date.now();
  times.push((await painted) - acknowledged);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ secondStartMs: Math.round(secondStartMs), shownP50Ms: times[15], shownMaxMs: times[29] }));
await browser.close();
start.kill("SIGKILL");
process.exit(0);
