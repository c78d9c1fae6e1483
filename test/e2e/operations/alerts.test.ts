/**
 * A real Prometheus watches three members through real outages: what it should say, it says, and takes back. The times for which an
 * alert has to last are cut down to a second.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { mayInstall } from "../../support/machine.ts";
import { freePort, killAll, Process, root, until } from "../../support/processes.ts";

afterEach(killAll);

const watch = async (ensemble: EnsembleProcesses): Promise<() => Promise<ReadonlySet<string>>> => {
  const folder = temporaryFolder("prometheus");
  const alerts = readFileSync(join(root, "apps/operations/prometheus/alerts.yaml"), "utf8").replace(/^(\s+for:) .*$/gm, "$1 1s");
  writeFileSync(`${folder}/alerts.yaml`, alerts);
  const targets = ensemble.members.map(({ port }) => `127.0.0.1:${port}`).join(", ");
  const config = `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [alerts.yaml]
scrape_configs: [{ job_name: copse, static_configs: [{ targets: [${targets}] }] }]
`;
  writeFileSync(`${folder}/prometheus.yaml`, config);
  const address = `127.0.0.1:${await freePort()}`;
  const flags = [`--config.file=${folder}/prometheus.yaml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${address}`];
  const prometheus = new Process("/usr/bin/prometheus", flags);
  await prometheus.printed(/Server is ready to receive web requests/);
  return async () => {
    const answer = await fetch(`http://${address}/api/v1/alerts`);
    const { data } = (await answer.json()) as { data: { alerts: { state: string; labels: { alertname: string } }[] } };
    return new Set(data.alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname));
  };
};

const says = async (firing: () => Promise<ReadonlySet<string>>, ...wanted: string[]): Promise<void> => {
  await until(async () => {
    const now = await firing();
    return wanted.every((name) => now.has(name));
  });
};
const isQuiet = async (firing: () => Promise<ReadonlySet<string>>): Promise<void> => {
  // On loopback everyone may change the tree.
  await until(async () => [...(await firing())].every((name) => name === "CopseRootOpen"));
};

it("fires and clears for dead members, a lost majority and a full disk", { timeout: 300_000 }, async () => {
  if (!mayInstall("the alerts", ["/usr/bin/prometheus"], "prometheus")) return;
  const ensemble = await EnsembleProcesses.start(3);
  const firing = await watch(ensemble);
  await says(firing, "CopseRootOpen");
  await isQuiet(firing);

  const [one, two] = [await ensemble.follower(), await ensemble.leader()];
  await one.process.kill9();
  await says(firing, "CopseMemberDown", "CopsePeerDown", "CopseFewMembers");
  expect((await firing()).has("CopseNoQuorum")).toBe(false);
  await two.process.kill9();
  await says(firing, "CopseNoQuorum");
  ensemble.flagsOf = (id) => (id === one.id ? EnsembleProcesses.config({ diskReserveBytes: 2 ** 50 }) : []);
  await ensemble.restart(one);
  await ensemble.restart(two);
  await says(firing, "CopseDiskNearlyFull");
  ensemble.flagsOf = () => [];
  await one.process.kill9();
  await ensemble.restart(one);
  await isQuiet(firing);
});
