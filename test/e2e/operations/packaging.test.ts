/** What operators deploy: the systemd unit, the image, the manifests of Kubernetes, the alerts and the dashboard, each as its own tools read it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { Service } from "kubernetes-models/v1/Service";
import { afterEach, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { startHub, temporaryFolder } from "../../support/hub.ts";
import { mayUse, run } from "../../support/machine.ts";
import { command, freePort, killAll, Process, root, until } from "../../support/processes.ts";

afterEach(killAll);

const folder = join(root, "apps/operations");
const read = (file: string): string => readFileSync(join(folder, file), "utf8");

describe("the systemd unit", () => {
  it("is understood by systemd, and gives the hub no more than it needs", { timeout: 60_000 }, () => {
    if (!mayUse("the systemd unit", ["systemd-analyze", "systemd"])) return;
    const unit = join(temporaryFolder("unit"), "copse.service");
    // systemd wants the program to be there.
    writeFileSync(unit, read("systemd/copse.service").replace("/usr/bin/copse", "/bin/true"));
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
    expect([status, stderr.split("\n").filter((line) => line.includes("copse.service"))]).toEqual([0, []]);
    const security = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit);
    const exposure = /exposure level for copse.service: ([\d.]+)/.exec(security)?.[1];
    expect(Number(exposure)).toBeLessThan(2);
    // A unit that systemd does not understand is noticed.
    writeFileSync(unit, "[Service]\nExecStart=/bin/true\nWatchdogSek=3\n");
    expect(spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" }).stderr).toContain("WatchdogSek");
  });
});

/** Instructions of a Containerfile, with their continued lines joined. */
function instructionsOf(text: string): { readonly name: string; readonly rest: string }[] {
  const lines = text
    .replace(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const [, name = "", rest = ""] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    return { name, rest };
  });
}

describe("the image", () => {
  const known = ["FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"];
  const instructions = instructionsOf(read("container/Containerfile"));
  const last = (name: string): string => instructions.filter((one) => one.name === name).pop()?.rest ?? "";

  it("runs the command as process 1, as a user without rights", () => {
    expect(instructions.filter(({ name }) => !known.includes(name))).toEqual([]);
    expect(last("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const [node, file] = JSON.parse(last("ENTRYPOINT")) as string[];
    expect([node, file]).toEqual(["node", "/opt/copse/bin/copse.js"]);
    expect(existsSync(join(root, "apps/cli/bin", basename(file!)))).toBe(true);
  });

  it("serves with its own command line, and is healthy by its own check", { timeout: 60_000 }, async () => {
    const data = temporaryFolder("image");
    const [port, admin] = [await freePort(), await freePort()];
    const local = (text: string): string => text.replace("/data", data).replace("7181", String(port)).replace("9181", String(admin));
    const [, ...entry] = JSON.parse(last("ENTRYPOINT")) as string[];
    const args = (JSON.parse(last("CMD")) as string[]).map(local);
    const hub = new Process(process.execPath, [command, ...entry.slice(1), ...args]);
    await hub.printed(/copse serves/);
    const [, check = "[]"] = /CMD (\[.*\])$/.exec(last("HEALTHCHECK")) ?? [];
    const [, ...checks] = (JSON.parse(check) as string[]).map(local);
    expect(spawnSync(process.execPath, checks).status).toBe(0);
    hub.child.kill("SIGTERM");
    expect(await hub.exited).toBe(0);
    expect(spawnSync(process.execPath, checks).status).toBe(1);
  });

  const builder = ["podman", "docker", "buildah"].find((one) => spawnSync("sh", ["-c", `command -v ${one}`]).status === 0);
  if (process.env["COPSE_FULL"] === "1" && builder !== undefined) {
    it(`is built by ${builder}`, { timeout: 1_200_000 }, () => {
      run(builder, builder === "buildah" ? "bud" : "build", "-f", join(folder, "container/Containerfile"), "-t", "copse-test", root);
    });
  } else console.warn("SKIPPED: building the image needs podman, docker or buildah, and pnpm test:full");
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly spec: { readonly containers: readonly [{ readonly args: readonly string[] }] } };
  };
}

function manifests(): Manifest[] {
  return parseAllDocuments(read("kubernetes/copse.yaml")).map((document) => document.toJS() as Manifest);
}

type Model = new (data: never) => { validate(): void };
const models: Readonly<Record<string, Model>> = { Service, PodDisruptionBudget, StatefulSet };

/** What is wrong with an object by the schema of its kind: its errors, and the fields that the schema never looked at. */
function faultsOf(object: { readonly kind: string }): unknown[] {
  const untouched: string[] = [];
  const looked: (() => void)[] = [];
  const watched = (value: object, path: string): object => {
    const touched = new Set<PropertyKey>();
    const inner = new Map<PropertyKey, object>();
    looked.push(() => untouched.push(...Object.keys(value).flatMap((key) => (touched.has(key) ? [] : [`${path}/${key}`]))));
    return new Proxy(value, {
      get: (target, key) => {
        touched.add(key);
        const found = Reflect.get(target, key) as unknown;
        if (typeof found !== "object" || found === null) return found;
        if (!inner.has(key)) inner.set(key, watched(found, `${path}/${String(key)}`));
        return inner.get(key);
      },
    });
  };
  const model = new models[object.kind]!(object as never);
  const errors: unknown[] = [];
  try {
    model.validate.call(watched(model, object.kind) as typeof model);
  } catch (error) {
    errors.push(error);
  }
  for (const look of looked) look();
  return [...errors, ...untouched];
}

describe("the manifests of Kubernetes", () => {
  it("are what their schemas say, without a field that those don't know", () => {
    const all = manifests();
    expect(all.map(({ kind }) => kind)).toEqual(["Service", "Service", "PodDisruptionBudget", "StatefulSet"]);
    for (const object of all) expect(faultsOf(object)).toEqual([]);
    const set = all[3]!;
    expect(faultsOf({ ...set, replicaz: 3 } as Manifest)).toEqual(["StatefulSet/replicaz"]);
    const inner = { ...set.spec.template.spec, containers: [{ ...set.spec.template.spec.containers[0], command: "copse", argz: [] }] };
    const wrong = { ...set, spec: { ...set.spec, template: { ...set.spec.template, spec: inner } } };
    expect(faultsOf(wrong)).toEqual([expect.anything(), "StatefulSet/spec/template/spec/containers/0/argz"]);
  });

  it("start three members that found an ensemble, by the names of their pods", { timeout: 120_000 }, async () => {
    if (!mayUse("hosts of other names", ["unshare", "util-linux"])) return;
    const set = manifests().pop()!;
    const { replicas, template } = set.spec;
    const secrets = temporaryFolder("secrets");
    writeFileSync(`${secrets}/peer-secret`, "a secret of all the pods");
    const hash = spawnSync(process.execPath, [command, "hash-password"], { input: "a password of super", encoding: "utf8" }).stdout;
    writeFileSync(`${secrets}/super-hash`, hash);
    const peers = await Promise.all(Array.from({ length: replicas }, () => freePort()));
    const ports = await Promise.all(Array.from({ length: replicas }, async () => [await freePort(), await freePort()] as const));
    for (const [at, [port, admin]] of ports.entries()) {
      const data = temporaryFolder(`pod-${at}`);
      mkdirSync(data, { recursive: true });
      // What the cluster's names and the pod's volumes would be.
      const args = template.spec.containers[0].args.map((arg) =>
        arg
          .replace(/copse-(\d)\.copse-peers:7281/g, (_, pod: string) => `127.0.0.1:${peers[Number(pod)]}`)
          .replace("0.0.0.0:7181", `127.0.0.1:${port}`)
          .replace("0.0.0.0:9181", `127.0.0.1:${admin}`)
          .replace("0.0.0.0:7281", `0.0.0.0:${peers[at]}`)
          .replace("/etc/copse", secrets)
          .replace("/data", data),
      );
      const script = `hostname ${set.metadata.name}-${at} && exec "$0" "$@"`;
      const pod = new Process("unshare", ["--uts", "sh", "-c", script, process.execPath, command, ...args]);
      await pod.printed(/copse serves/);
    }
    for (const [, admin] of ports) {
      await until(async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).status === 200);
      expect((await fetch(`http://127.0.0.1:${admin}/healthz`)).status).toBe(200);
    }
  });
});

describe("the alerts and the dashboard", () => {
  it("are understood by Prometheus, and each alert fires and clears", { timeout: 60_000 }, () => {
    if (!mayUse("the alerts", ["promtool", "prometheus"])) return;
    for (const args of [
      ["check", "config", "prometheus.yaml"],
      ["test", "rules", "alerts.test.yaml"],
    ]) {
      const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: join(folder, "prometheus"), encoding: "utf8" });
      expect([args, status, stdout + stderr]).toEqual([args, 0, expect.stringContaining("SUCCESS")]);
    }
    const alerts = [...read("prometheus/alerts.yaml").matchAll(/alert: (\w+)/g)].map(([, name]) => name);
    const tested = [...read("prometheus/alerts.test.yaml").matchAll(/- name: (\w+)/g)].map(([, name]) => name);
    expect(tested).toEqual(alerts);
  });

  it("ask for nothing that a hub does not tell from its first scrape", async () => {
    const hub = await startHub();
    const told = await (await fetch(`${hub.page}/metrics`)).text();
    const asked = new Set(
      [...(read("prometheus/alerts.yaml") + read("grafana/copse.json")).matchAll(/\bcopse_[a-z_]+/g)].map(([name]) => name),
    );
    expect(asked.size).toBeGreaterThan(30);
    const missing = [...asked].filter((name) => !new RegExp(`^# TYPE ${name.replace(/_bucket$/, "")} `, "m").test(told));
    expect(missing).toEqual([]);
    await hub.stop();
  });
});
