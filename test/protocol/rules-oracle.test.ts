/**
 * Random rules, ACLs, callers and operations, against an oracle that judges each znode by itself: every outcome, list, event, subscription and
 * count. `COPSE_FULL=1` runs 20 000 operations.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Hub, startHub, temporaryFolder } from "../support/hub.ts";
import { Issuer } from "../support/issuer.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

const operations = process.env["COPSE_FULL"] === "1" ? 20_000 : 1_500;
const seed = Number(process.env["COPSE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

type Perm = "read" | "write" | "create" | "delete" | "admin";
type Item = { perms: Perm[]; scheme?: string; id?: string; all?: { scheme: string; id: string }[] };
interface Rule {
  path: string;
  allow: Item[];
  ephemeral?: boolean;
}
interface Znode {
  data: string;
  acl: Item[];
}

let state = seed;
/** In [0, below). */
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}
const one = <T>(list: readonly T[]): T => list[random(list.length)]!;

const perms: Perm[] = ["read", "write", "create", "delete", "admin"];
const names = ["ada", "bob", "x"];
const everyone: Item = { perms, scheme: "world", id: "anyone" };
const operator = { scheme: "claim", id: "acme:role=operator" };

// ——— The oracle ———

/** What the hub should hold. */
const znodes = new Map<string, Znode>([["/", { data: "", acl: [everyone] }]]);
let rules: Rule[] = [];

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")));
const isMet = (item: Item, who: Who, bound: Record<string, string> = {}): boolean =>
  (item.all ?? [{ scheme: item.scheme!, id: item.id! }]).every(
    ({ scheme, id }) => scheme === "world" || who.identities.has(`${scheme} ${id.replace(/\{(\w+)\}/, (_, name: string) => bound[name]!)}`),
  );
function byRules(path: string, perm: Perm, who: Who, isEphemeral = false): boolean {
  return rules.some((rule) => {
    const pattern = rule.path
      .replace(/\/\*\*$/, "(/.*)?")
      .replace(/\/\*(?=\/|$)/g, "/[^/]+")
      .replace(/\{(\w+)\}/g, "(?<$1>[^/]+)");
    const match = new RegExp(`^${pattern === "(/.*)?" ? "/.*" : pattern}$`).exec(path);
    if (match === null || (perm === "create" && rule.ephemeral === true && !isEphemeral)) return false;
    return rule.allow.some((item) => item.perms.includes(perm) && isMet(item, who, match.groups));
  });
}
const byAcl = (path: string, perm: Perm, who: Who): boolean =>
  znodes.get(path)!.acl.some((item) => item.perms.includes(perm) && isMet(item, who));
const may = (path: string, perm: Perm, who: Who): boolean => byRules(path, perm, who) && byAcl(path, perm, who);
const below = (path: string): string[] =>
  [...znodes.keys()].filter((other) => other.startsWith(path === "/" ? "/" : `${path}/`) && other !== path);
const childrenOf = (path: string): string[] =>
  below(path)
    .filter((other) => parentOf(other) === path)
    .sort();
/** A znode and all below it, children before parents. */
const bottomUp = (path: string): string[] => [...childrenOf(path).flatMap(bottomUp), path];
/** What a subscription to everything shows: the data, or null where it is hidden. */
function view(who: Who): Map<string, string | null> {
  const shown = [...znodes].filter(
    ([path]) => byRules(path, "read", who) && (byAcl(path, "read", who) || (path !== "/" && may(parentOf(path), "read", who))),
  );
  return new Map(shown.map(([path, { data }]) => [path, byAcl(path, "read", who) ? data : null]));
}

/** The error code that an operation should get, or null. */
function verdict(op: Message, who: Who): string | null {
  const path = op["path"] as string;
  const znode = znodes.get(path);
  switch (op["op"]) {
    case "create":
      if (!byRules(path, "create", who, op["ephemeral"])) return "NO_AUTH";
      if (!znodes.has(parentOf(path))) return "NO_NODE";
      if (!byAcl(parentOf(path), "create", who)) return "NO_AUTH";
      return znode === undefined ? null : "NODE_EXISTS";
    case "set":
    case "setAcl": {
      const perm = op["op"] === "set" ? "write" : "admin";
      if (!byRules(path, perm, who)) return "NO_AUTH";
      if (znode === undefined) return "NO_NODE";
      return byAcl(path, perm, who) ? null : "NO_AUTH";
    }
    case "delete":
      if (!byRules(path, "delete", who)) return "NO_AUTH";
      if (op["recursive"] === true && !below(path).every((other) => byRules(other, "delete", who))) return "NO_AUTH";
      if (!znodes.has(parentOf(path))) return "NO_NODE";
      if (!byAcl(parentOf(path), "delete", who)) return "NO_AUTH";
      if (znode === undefined) return "NO_NODE";
      if (op["recursive"] !== true) return below(path).length === 0 ? null : "NOT_EMPTY";
      return [path, ...below(path)].every((other) => childrenOf(other).length === 0 || byAcl(other, "delete", who)) ? null : "NO_AUTH";
    default:
      if (!byRules(path, "read", who)) return "NO_AUTH";
      if (znode === undefined) return op["op"] === "exists" ? null : "NO_NODE";
      return byAcl(path, "read", who) ? null : "NO_AUTH";
  }
}

/** Does it, and gives what was done: kind and path. */
function perform(op: Message): [string, string][] {
  const path = op["path"] as string;
  switch (op["op"]) {
    case "create":
      znodes.set(path, { data: op["data"], acl: op["acl"] ?? [everyone] });
      return [["created", path]];
    case "set":
      znodes.get(path)!.data = op["data"];
      return [["changed", path]];
    case "setAcl":
      znodes.get(path)!.acl = op["acl"];
      return [];
    case "delete":
      return bottomUp(path).map((gone) => ["deleted", gone]);
    default:
      return [];
  }
}

// ——— Those who act ———

class Who {
  readonly client: RawClient;
  readonly identities: ReadonlySet<string>;
  /** What its subscription to everything shows, from its messages alone. */
  readonly seen: Map<string, string | null> = new Map();
  /** Events that its watch on everything should have got. */
  readonly expected: string[] = [];
  readonly told: string[] = [];
  #from = 0;

  constructor(client: RawClient, identities: ReadonlySet<string>) {
    this.client = client;
    this.identities = identities;
  }

  /** Takes what has come since. */
  take(): void {
    for (const message of this.client.received.slice(this.#from)) {
      const { sub, nodes, reset, id, event, change, path } = message;
      if (event === "created" || event === "changed" || event === "deleted") this.told.push(`${event} ${path}`);
      if (sub === undefined) continue;
      if (nodes !== undefined) {
        if (reset === true || id !== undefined) this.seen.clear();
        for (const node of nodes as Message[]) this.seen.set(node["path"], node["denied"] === true ? null : (node["data"] ?? ""));
      } else if (change === "deleted") this.seen.delete(path);
      else if (change === "created" || change === "changed")
        this.seen.set(path, message["denied"] === true ? null : (message["data"] ?? ""));
    }
    this.#from = this.client.received.length;
  }
}

let issuer: Issuer;
let hub: Hub;

async function comes(sub: string, claims: Message): Promise<Who> {
  const client = await RawClient.connect(hub.url, { auth: [{ scheme: "token", credential: await issuer.token({ sub, claims }) }] });
  const { identities } = await client.ask({ op: "whoami" });
  await client.ask({ op: "addWatch", path: "/", mode: "recursive" });
  await client.ask({ op: "subscribe", path: "/", scope: "tree" });
  return new Who(client, new Set((identities as Message[]).map(({ scheme, id }) => `${scheme} ${id}`)));
}

const anyPath = (): string => `/${Array.from({ length: 1 + random(3) }, () => one(names)).join("/")}`;
const anyId = (): Item => {
  const perm = perms.filter(() => random(2) === 0);
  const some = perm.length === 0 ? ([one(perms)] as Perm[]) : perm;
  const id = one([
    { scheme: "world", id: "anyone" },
    { scheme: "token", id: "acme:ada" },
    { scheme: "claim", id: "acme:tenant=t1" },
    { scheme: "issuer", id: "acme" },
    { scheme: "token", id: "acme:bob" },
  ]);
  return random(4) === 0 ? { perms: some, all: [id, { scheme: "claim", id: "acme:tenant=t1" }] } : { perms: some, ...id };
};
const anyAcl = (): Item[] => [{ perms, ...operator }, ...Array.from({ length: 1 + random(2) }, anyId)];
function anyRules(): Rule[] {
  const pattern = (): string => one(["/**", "/*", "/ada/**", "/x/*/bob", "/{user}", "/{user}/**", "/*/{user}/*", "/x"]);
  const list = Array.from({ length: random(5) }, (): Rule => {
    const path = pattern();
    const own: Item = { perms: perms.filter((perm) => perm === "read" || random(2) === 0), scheme: "token", id: "acme:{user}" };
    const allow = path.includes("{user}") ? [own, anyId()] : [anyId(), anyId()];
    return random(4) === 0 ? { path, allow, ephemeral: true } : { path, allow };
  });
  return [...list, { path: "/**", allow: [{ perms, ...operator }] }];
}

beforeAll(async () => {
  issuer = await Issuer.start();
  const file = join(temporaryFolder("oracle"), "identity.json");
  writeFileSync(file, JSON.stringify({ issuers: [issuer.settings()], anonymous: "session", admins: [] }));
  hub = await startHub({ identityFile: file });
});
afterAll(async () => {
  await hub.destroy();
  await issuer.stop();
});

test(`${operations} operations (seed ${seed})`, { timeout: 600_000 }, async () => {
  const boss = await comes("boss", { roles: ["operator"] });
  rules = anyRules();
  await boss.client.ask({ op: "create", path: "/copse/rules", data: JSON.stringify({ version: 1, otherwise: "deny", rules }) });
  const all = [boss, await comes("ada", { tenant: "t1" }), await comes("bob", { tenant: "t2" }), await comes("x", { tenant: "t1" })];
  const outcomes = new Map<string, number>();
  for (let at = 0; at < operations; at++) {
    const who = one(all);
    const path = anyPath();
    const op = one<() => Message>([
      () => ({ op: "create", path, data: `${at}`, ...(random(2) === 0 ? { acl: anyAcl() } : {}) }),
      () => ({ op: "create", path, data: `${at}` }),
      () => ({ op: "set", path, data: `${at}` }),
      () => ({ op: "delete", path, ...(random(3) === 0 ? { recursive: true } : {}) }),
      () => ({ op: "setAcl", path, acl: anyAcl() }),
      () => ({ op: "get", path }),
      () => ({ op: "exists", path }),
      () => ({ op: "children", path: random(3) === 0 ? "/" : path }),
      () => ({ op: "count", path }),
    ])();
    const where = `${at}: ${JSON.stringify(op)} of ${[...who.identities][0]} under ${JSON.stringify(rules)}`;
    const reply = await who.client.ask(op);
    const got = (reply["error"]?.["code"] as string | undefined) ?? null;
    outcomes.set(`${op["op"]} ${got ?? "done"}`, (outcomes.get(`${op["op"]} ${got ?? "done"}`) ?? 0) + 1);
    if (op["op"] === "count") {
      // Judged by patterns: who may count may see all that there is.
      if (got === null)
        expect(below(path).every((other) => byRules(other, "read", who)) && reply["count"] === below(path).length, where).toBe(true);
    } else expect(got, where).toBe(verdict(op, who));
    if (got === null) {
      if (op["op"] === "children") {
        const shown = childrenOf(op["path"]).filter((child) => byRules(child, "read", who));
        expect(
          reply["children"].filter((name: string) => name !== "copse"),
          where,
        ).toEqual(shown.map((child) => child.slice(child.lastIndexOf("/") + 1)));
        expect(reply["stat"].numChildren - (op["path"] === "/" ? 1 : 0), where).toBe(childrenOf(op["path"]).length);
      }
      if (op["op"] === "get") expect(reply["data"], where).toBe(znodes.get(path)!.data);
      if (op["op"] === "exists") expect(reply["stat"] === null, where).toBe(!znodes.has(path));
      for (const [kind, changed] of perform(op)) {
        for (const watcher of all)
          if (byRules(changed, "read", watcher) && byAcl(changed, "read", watcher)) watcher.expected.push(`${kind} ${changed}`);
        if (kind === "deleted") znodes.delete(changed);
      }
    }
    if (at % 50 !== 49) continue;
    const { zxid } = await boss.client.ask({ op: "sync" });
    for (const watcher of all) {
      await watcher.client.ask({ op: "exists", path: "/copse/config", atLeast: zxid });
      await expect
        .poll(
          () => {
            watcher.take();
            const seen = [...watcher.seen].filter(([path]) => !path.startsWith("/copse"));
            return JSON.stringify(seen.sort());
          },
          { message: where },
        )
        .toBe(JSON.stringify([...view(watcher)].sort()));
      expect(
        watcher.told.filter((event) => !event.includes("/copse")),
        where,
      ).toEqual(watcher.expected);
      watcher.told.length = watcher.expected.length = 0;
    }
    if (at % 100 === 99) {
      rules = anyRules();
      const said = await boss.client.ask({
        op: "set",
        path: "/copse/rules",
        data: JSON.stringify({ version: 1, otherwise: "deny", rules }),
      });
      expect(said["error"]).toBeUndefined();
    }
  }
  // Each way was taken: an oracle that is never contradicted because nothing happens proves nothing.
  for (const way of [
    "create done",
    "create NO_AUTH",
    "set done",
    "set NO_AUTH",
    "delete done",
    "get done",
    "get NO_AUTH",
    "children done",
    "setAcl done",
  ]) {
    expect(outcomes.get(way) ?? 0, `${way} of ${JSON.stringify([...outcomes])}`).toBeGreaterThan(0);
  }
});
