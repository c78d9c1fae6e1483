/** What a hub reads again while it runs, and what it is told by its environment. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "@copse/client";
import { afterEach, expect, it } from "vitest";
import { EnsembleProcesses, metric } from "../../support/ensemble.ts";
import { temporaryFolder } from "../../support/hub.ts";
import { mayUse } from "../../support/machine.ts";
import { command, copse, freePort, killAll, Process, serve, until } from "../../support/processes.ts";

afterEach(killAll);

/** The line of --super-file for a password. */
function hashed(password: string): string {
  const { stdout } = spawnSync(process.execPath, [command, "hash-password"], { input: password, encoding: "utf8" });
  return stdout;
}

it("on SIGHUP the log has the level of its file, the audit log a new file, and super another password", { timeout: 60_000 }, async () => {
  const folder = temporaryFolder("reload");
  const [config, audit, superFile] = [`${folder}/copse.json`, `${folder}/audit`, `${folder}/super`];
  const settings = (logLevel: string): void => writeFileSync(config, JSON.stringify({ logLevel, auditFile: audit, superFile }));
  settings("info");
  writeFileSync(superFile, hashed("the first"));
  const hub = await serve(`${folder}/data`, await freePort(), "--config", config);
  const client = await connect(hub.url);
  await client.create("/quiet", "");
  await until(async () => readFileSync(audit, "utf8").includes("/quiet"));
  expect(hub.process.err).not.toContain('"event":"proposed"');

  settings("debug");
  renameSync(audit, `${audit}.1`);
  writeFileSync(superFile, hashed("the second"));
  hub.process.child.kill("SIGHUP");
  await hub.process.printed(/the log has another level/);
  await hub.process.printed(/read the password of super/);
  await until(async () => existsSync(audit));
  await client.create("/told", "");
  await hub.process.printed(/"event":"proposed"/);
  await until(async () => readFileSync(audit, "utf8").includes("/told"));
  expect(readFileSync(`${audit}.1`, "utf8")).not.toContain("/told");
  expect((await copse(hub.url, "--super", "the second", "whoami")).out).toContain("super");
  expect(await copse(hub.url, "--super", "the first", "whoami")).toMatchObject({ code: 6, err: expect.stringContaining("AUTH_FAILED") });

  // What can't be used changes nothing, and is said.
  writeFileSync(superFile, "no hash");
  writeFileSync(config, "{");
  hub.process.child.kill("SIGHUP");
  await hub.process.printed(/the password of super can't be used; what was read before still holds/);
  await hub.process.printed(/the level of the log stays/);
  expect((await copse(hub.url, "--super", "the second", "whoami")).code).toBe(0);
  await client.close();
});

it("the secret of the peers changes member by member, and no link is missed", { timeout: 120_000 }, async () => {
  const file = `${temporaryFolder("secret")}/secret`;
  const [old, fresh] = ["the old secret of the peers", "the new secret of the peers"];
  writeFileSync(file, old);
  const ensemble = await EnsembleProcesses.start(3, { flags: ["--peer-secret-file", file, "--log-level", "info"] });
  for (const said of [`${old}\n${fresh}`, `${fresh}\n${old}`, fresh]) {
    writeFileSync(file, said);
    for (const { process } of ensemble.members) {
      const before = process.err.split("read the secret of the peers").length;
      process.child.kill("SIGHUP");
      await until(async () => process.err.split("read the secret of the peers").length > before);
    }
  }
  const member = await ensemble.follower();
  await member.process.kill9();
  await ensemble.restart(member);
  await until(async () => (await metric(member.port, "copse_has_quorum").catch(() => 0)) === 1);
  const stale = `${temporaryFolder("stale")}/secret`;
  writeFileSync(stale, old);
  await member.process.kill9();
  ensemble.flagsOf = () => ["--peer-secret-file", stale, "--log-level", "info"];
  await ensemble.restart(member);
  await member.process.printed(/secret does not match/);
});

it("takes its id from the host's name, as a pod has it", { timeout: 60_000 }, async () => {
  if (!mayUse("a host of another name", ["unshare", "util-linux"])) return;
  const folder = temporaryFolder("hostname");
  const started = async (name: string): Promise<Process> => {
    const flags = `--id hostname --data ${folder}/${name} --listen 127.0.0.1:${await freePort()}`;
    return new Process("unshare", ["--uts", "sh", "-c", `hostname ${name} && exec ${process.execPath} ${command} serve ${flags}`]);
  };
  const pod = await started("copse-2");
  await pod.printed(/copse serves/);
  await pod.printed(/"member":"3"/);
  const other = await started("laptop");
  expect(await other.exited).toBe(2);
  expect(other.err).toContain("does not end with a number");
});
