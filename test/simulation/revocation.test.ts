/**
 * A revocation while values change: on three members, in sessions and on connections without one, nothing that only the revoked identity may
 * see is sent with a later zxid. `COPSE_FULL=1` makes a thousand runs.
 */
import type { Copse, Credential } from "@copse/client";
import { TestEnsemble } from "@copse/testing";
import { type ClientConnection, Prng } from "@copse/testing/simulation";
import { afterAll, beforeAll, expect, it } from "vitest";

const runs = process.env["COPSE_FULL"] === "1" ? 1_000 : 40;
const seed = Number(process.env["COPSE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const path = "/named";
const members = ["1", "2", "3"];

interface Sent {
  readonly zxid?: number;
  readonly event?: string;
  readonly change?: string;
  readonly data?: string;
  readonly nodes?: readonly { readonly data?: string }[];
  readonly path?: string;
}

/** What was sent to each client, by the ports that it dialled with. */
const sent = new Map<ClientConnection["client"], Sent[]>();
const ensemble = new TestEnsemble({
  members: 3,
  watcher: {
    turned: () => {},
    sent: () => {},
    toServer: () => {},
    toClient: ({ client }, text) => {
      const parsed = JSON.parse(text) as Sent | Sent[];
      const list = sent.get(client) ?? [];
      sent.set(client, list);
      list.push(...(Array.isArray(parsed) ? parsed : [parsed]));
    },
  },
});
let writer: Copse;

beforeAll(async () => {
  await ensemble.elected();
  writer = await ensemble.connect();
  const acl = [
    { perms: ["read"], scheme: "token", id: "sim:spy" },
    { perms: ["write", "admin"], scheme: "world", id: "anyone" },
  ] as const;
  await ensemble.until(writer.create(path, "0", { acl }));
});
afterAll(() => ensemble.close());

it(`shows nothing after its zxid, in ${runs} runs (seed ${seed})`, { timeout: 600_000 }, async () => {
  const random = new Prng(seed);
  let seen = 0;
  for (let run = 1; run <= runs; run++) {
    const auth = (): Credential[] => {
      const iat = 1e12 + ensemble.now();
      return [{ scheme: "token", credential: JSON.stringify({ sub: "spy", iat, exp: iat + 3_600_000 }) }];
    };
    const spies: Copse[] = [];
    for (const readOnly of [false, true, random.chance(0.5)]) {
      const spy = await ensemble.connect({ member: random.pick(members), readOnly, auth });
      spy.observe(path, {}, { state: () => {}, changes: () => {}, failed: () => {} });
      void (async () => {
        try {
          for await (const _ of spy.watch(path)) seen++;
        } catch {
          // It was shut out.
        }
      })();
      spies.push(spy);
    }
    await ensemble.advance(random.between(20, 200));
    const mark = new Map([...sent].map(([client, list]) => [client, list.length]));
    const write = (): Promise<unknown> => writer.set(path, `${run}`);
    const before = Array.from({ length: random.below(6) + 1 }, write);
    const revoked = writer.revoke("token sim:spy", { keepSessions: random.chance(0.5) });
    const after = Array.from({ length: random.below(6) + 1 }, write);
    await ensemble.until(Promise.all([...before, revoked]));
    const { mzxid } = await ensemble.until(before[before.length - 1] as Promise<{ mzxid: number }>);
    await ensemble.until(Promise.all(after));
    await ensemble.advance(random.between(50, 500));
    // The writes before it have the zxids up to `mzxid`; the revocation has the next one.
    for (const [client, list] of sent) {
      if (client === writer.clock) continue;
      const late = list.slice(mark.get(client) ?? 0).filter(({ zxid = 0 }) => zxid > mzxid + 1);
      const told = late.filter(({ path: at, data, nodes, event, change }) => {
        return (
          (at === path && (event !== undefined || change === "changed")) ||
          data === `${run}` ||
          nodes?.some((node) => node.data === `${run}`) === true
        );
      });
      expect(
        told.filter(({ change, data }) => change === undefined || data !== undefined),
        `run ${run}, seed ${seed}`,
      ).toEqual([]);
    }
    for (const spy of spies) await ensemble.until(spy.close());
    await ensemble.until(writer.revoke("token sim:spy", { before: 0 }));
    sent.clear();
  }
  expect(seen).toBeGreaterThan(runs);
});
