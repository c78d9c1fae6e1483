/**
 * What every host has to do with the published packages against a real hub: Node of each version, and a page without a bundler.
 *
 * Plain JavaScript over the packages' public names alone, so that it runs where they are installed.
 */
import { CopseError, connect, defineNode, isCopseError } from "@copse/client";
import { edit } from "@copse/client/immer";
import { barrier } from "@copse/recipes/barrier";
import { counter } from "@copse/recipes/counter";
import { doubleBarrier } from "@copse/recipes/double-barrier";
import { election, observeLeader } from "@copse/recipes/election";
import { group } from "@copse/recipes/group";
import { lock, tryLock, withLock } from "@copse/recipes/lock";
import { multiLock } from "@copse/recipes/multi-lock";
import { persistentEphemeral } from "@copse/recipes/persistent-ephemeral";
import { presence } from "@copse/recipes/presence";
import { readLock, writeLock } from "@copse/recipes/read-write-lock";
import { semaphore } from "@copse/recipes/semaphore";
import { services } from "@copse/recipes/service";
import { treeCache } from "@copse/recipes/tree-cache";
import { workQueue } from "@copse/recipes/work-queue";

function equal(actual, expected) {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${one} instead of ${other}`);
}

/** The error's code, or what came instead of an error. */
async function refusal(promise) {
  try {
    return ["no error", await promise];
  } catch (error) {
    return isCopseError(error) ? error.code : error.name;
  }
}

async function until(store, isRight) {
  await new Promise((resolve) => {
    let stop = () => {};
    let isOver = false;
    stop = store.subscribe((value) => {
      if (!isRight(value)) return;
      isOver = true;
      stop();
      resolve();
    });
    if (isOver) stop();
  });
}

/** Each gets two clients and a path of its own. */
const checks = {
  "znodes are created, read, changed and deleted": async ({ a, at }) => {
    const { path, stat } = await a.create(`${at}/n-`, "é", { sequential: true, parents: true });
    equal(path, `${at}/n-0000000000`);
    equal((await a.get(path)).data, "é");
    await a.set(path, new Uint8Array([0, 255]), { version: stat.version });
    equal([...(await a.get(path)).bytes], [0, 255]);
    equal(await refusal(a.set(path, "late", { version: 0 })), "BAD_VERSION");
    equal((await a.children(at)).children, ["n-0000000000"]);
    equal(await a.delete(at, { recursive: true }), 2);
    equal(await a.exists(at), null);
  },
  "a batch is done whole": async ({ a, at }) => {
    const [made, set] = await a.multi([
      { op: "create", path: at, data: "1" },
      { op: "set", path: at, data: "2", version: 0 },
    ]);
    equal([made.path, set.stat.version], [at, 1]);
    const failed = await a.multi([{ op: "check", path: at, version: 9 }]).catch((error) => error);
    equal([failed instanceof CopseError, failed.code, failed.index], [true, "BAD_VERSION", 0]);
    const [got, none] = await a.read([
      { op: "get", path: at },
      { op: "exists", path: `${at}-none` },
    ]);
    equal([got.data, none.stat], ["2", null]);
  },
  "a store follows, and update compares and sets": async ({ a, b, at }) => {
    const Config = defineNode(at);
    const store = a.store(Config, { initial: { limit: 0 } });
    const right = until(store, ({ limit }) => limit === 2);
    await b.update(Config, () => ({ limit: 1 }));
    await b.update(
      Config,
      edit((draft) => {
        draft.limit += 1;
      }),
    );
    await right;
    equal(Object.isFrozen(store.get()), true);
  },
  "changes and watches are told": async ({ a, b, at }) => {
    await a.create(at);
    const changes = a.changes(at, { scope: "tree" });
    const events = a.watch(at, { mode: "recursive" });
    await a.sync();
    await b.create(`${at}/x`, "1");
    equal((await changes.next()).value.path, `${at}/x`);
    equal((await events.next()).value.event, "created");
    await changes.return();
    await events.return();
  },
  "calls can be given up": async ({ a, at }) => {
    equal(await refusal(a.get(at, { signal: AbortSignal.abort() })), "AbortError");
    equal(await refusal(lock(a, at).then(() => lock(a, at, { waitMs: 50 }))), "TIMEOUT");
  },
  "a lock has one holder, a guard and a token": async ({ a, b, at }) => {
    const held = await lock(a, at);
    equal(await tryLock(b, at), null);
    await a.create(`${at}-guarded`, null, { guard: held.guard });
    await held.close();
    equal(await refusal(a.set(`${at}-guarded`, "late", { guard: held.guard })), "GUARD_FAILED");
    const token = await withLock(b, at, {}, async (next) => next.token);
    equal(token > held.token, true);
  },
  "several locks, readers and writers, a semaphore": async ({ a, b, at }) => {
    const all = await multiLock(a, [`${at}/1`, `${at}/2`]);
    equal(await tryLock(b, `${at}/2`), null);
    await all.close();
    const readers = [await readLock(a, `${at}/rw`), await readLock(b, `${at}/rw`)];
    equal(await refusal(writeLock(a, `${at}/rw`, { waitMs: 50 })), "TIMEOUT");
    for (const reader of readers) await reader.close();
    const writer = await writeLock(a, `${at}/rw`);
    await (await writer.downgrade()).close();
    const leases = [await semaphore(a, `${at}/s`, { permits: 2 }), await semaphore(b, `${at}/s`, { permits: 2 })];
    equal(await refusal(semaphore(a, `${at}/s`, { permits: 2, waitMs: 50 })), "TIMEOUT");
    for (const lease of leases) await lease.close();
  },
  "an election is won, observed and resigned": async ({ a, b, at }) => {
    const [one, two, seen] = [election(a, at, { data: "a" }), election(b, at, { data: "b" }), observeLeader(b, at)];
    const term = (await one.next()).value;
    equal((await seen.next()).value.data, "a");
    const next = two.next();
    await term.resign();
    equal((await next).value.token > term.token, true);
    equal((await seen.next()).value.data, "b");
    for (const each of [one, two, seen]) await each.return();
  },
  "barriers hold and let go": async ({ a, b, at }) => {
    const gate = barrier(a, `${at}/gate`);
    await gate.raise();
    const passed = barrier(b, `${at}/gate`).passed();
    await gate.lower();
    await passed;
    const inside = await Promise.all([a, b].map((copse) => doubleBarrier(copse, `${at}/double`, { count: 2 })));
    await Promise.all(inside.map((one) => one.leave()));
  },
  "a counter loses nothing": async ({ a, b, at }) => {
    const [one, two] = [counter(a, at), counter(b, at)];
    await Promise.all(Array.from({ length: 10 }, (_, add) => (add % 2 === 0 ? one : two).add(add)));
    equal(await one.get(), 45);
  },
  "groups, services and presence list who is there": async ({ a, b, at }) => {
    const { members, join } = group(a, `${at}/group`);
    const joined = await join("data", { id: "me" });
    await until(group(b, `${at}/group`).members, (list) => list[0]?.data === "data");
    await joined.close();
    await until(members, (list) => list.length === 0);
    const registration = await services(a, { root: `${at}/services` }).register("pay", { url: "https://pay.example", zone: "z" });
    const found = services(b, { root: `${at}/services` }).discover("pay");
    await until(found.instances, (list) => list.length === 1);
    equal(found.pick({ zone: "z" }).url, "https://pay.example");
    await found.close();
    await registration.close();
    const [mine, theirs] = await Promise.all([a, b].map((copse, user) => presence(copse, `${at}/room`, { user, goneMs: 0 })));
    await until(mine.others, ([other]) => other?.user === 1 && ["online", "hidden"].includes(other.state));
    await theirs.close();
    await until(mine.others, (list) => list.length === 0);
    await mine.close();
  },
  "a kept ephemeral, a queue and a cached tree": async ({ a, b, at }) => {
    const kept = await persistentEphemeral(a, `${at}/kept`, "1");
    await b.delete(`${at}/kept`);
    const cache = treeCache(b, at);
    await until(cache, (root) => root?.children.get("kept")?.data === "1");
    await kept.close();
    await until(cache, (root) => root?.children.has("kept") === false);
    const queue = workQueue(a, `${at}/queue`);
    await queue.put("job");
    const job = await workQueue(b, `${at}/queue`).take();
    equal([job.data, job.attempt], ["job", 1]);
    await job.done();
    equal(await queue.size(), 0);
  },
  "handles are disposed of, and a closed client says so": async ({ open, at }) => {
    const copse = await open();
    const held = await lock(copse, at);
    await held[Symbol.asyncDispose]();
    equal(held.signal.aborted, true);
    await copse[Symbol.asyncDispose]();
    equal([copse.state, await refusal(copse.get("/"))], ["closed", "CLOSED"]);
  },
};

/** Runs all checks against the hub at `url`. Gives their names, and throws at the first that fails. */
export async function runSuite(url) {
  const open = () => connect(url, { sessionTimeoutMs: 10_000, signal: AbortSignal.timeout(10_000) });
  const [a, b] = await Promise.all([open(), open()]);
  const run = Math.random().toString(36).slice(2);
  const done = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      let timer;
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error("took more than 20 s")), 20_000);
      });
      await Promise.race([check({ a, b, open, at: `/suite-${run}/${done.length}` }), late]);
      clearTimeout(timer);
    } catch (error) {
      throw new Error(`${name}: ${error.stack ?? error}`);
    }
    done.push(name);
  }
  await Promise.all([a.close(), b.close()]);
  return done;
}
