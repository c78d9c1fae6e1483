/** Q: quotas, set as znodes below /copse/quota, kept exactly. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Hub, startHub } from "../support/hub.ts";
import { type Message, RawClient } from "../support/raw-client.ts";

let hub: Hub;
let client: RawClient;

beforeAll(async () => {
  hub = await startHub({ snapshotLogBytes: 20_000 });
  client = await RawClient.connect(hub.url);
});
afterAll(() => hub.destroy());

async function codes(...requests: Message[]): Promise<(string | undefined)[]> {
  const replies = await Promise.all(client.sendAll(requests).map((id) => client.reply(id)));
  return replies.map((reply) => reply["error"]?.code as string | undefined);
}

const bound = (path: string, quota: object): Message => ({
  op: "create",
  path: `/copse/quota${path}`,
  data: JSON.stringify(quota),
  parents: true,
});

describe("quotas", () => {
  it("[Q1] are znodes of the path they bind, readable and watched like any", async () => {
    const subscribed = await client.ask({ op: "subscribe", path: "/copse/quota", scope: "tree" });
    expect(await codes(bound("/bounded", { count: 3, bytes: 20 }))).toEqual([undefined]);
    expect((await client.ask({ op: "get", path: "/copse/quota/bounded" }))["data"]).toBe('{"count":3,"bytes":20}');
    const seen = client.received.filter((message) => message["sub"] === subscribed["sub"] && message["change"] === "created");
    expect(seen.map(({ path }) => path as string)).toEqual(["/copse/quota", "/copse/quota/bounded"]);
    const nobody = { op: "set", path: "/copse/quota/bounded", data: "nonsense" };
    const others = [bound("/copse", {}), { op: "delete", path: "/copse/quota" }, { op: "create", path: "/copse/other" }];
    const kinds = [{ ephemeral: true }, { sequential: true }, { container: true }, { ttl: 1_000 }];
    const special = kinds.map((kind) => ({ op: "create", path: "/copse/quota/x", ...kind }));
    expect(await codes(nobody, ...others, ...special)).toEqual(Array.from({ length: 8 }, () => "BAD_ARGUMENTS"));
  });

  it("[Q2] a change past a hard bound is QUOTA_EXCEEDED, exactly, also when many are under way", async () => {
    const creations = Array.from({ length: 10 }, () => ({ op: "create", path: "/bounded/n-", sequential: true }));
    expect(await codes({ op: "create", path: "/bounded" }, ...creations)).toEqual([
      undefined,
      undefined,
      undefined,
      ...Array.from({ length: 8 }, () => "QUOTA_EXCEEDED"),
    ]);
    const [first] = (await client.ask({ op: "children", path: "/bounded" }))["children"] as string[];
    const sets = ["x".repeat(20), "x".repeat(21), "x".repeat(5), "x".repeat(20)].map((data) => ({ op: "set", path: "/bounded", data }));
    expect(await codes(...sets, { op: "set", path: `/bounded/${first}`, data: "x" })).toEqual([
      undefined,
      "QUOTA_EXCEEDED",
      undefined,
      undefined,
      "QUOTA_EXCEEDED",
    ]);
  });

  it("[Q3] in a multi each op sees those before it, and what shrinks is always allowed", async () => {
    const names = (await client.ask({ op: "children", path: "/bounded" }))["children"] as string[];
    const swap = {
      op: "multi",
      ops: [
        { op: "delete", path: `/bounded/${names[0]}` },
        { op: "create", path: "/bounded/a" },
      ],
    };
    const over = {
      op: "multi",
      ops: [
        { op: "set", path: "/bounded", data: "" },
        { op: "create", path: "/bounded/b" },
      ],
    };
    expect(await codes(swap, over)).toEqual([undefined, "QUOTA_EXCEEDED"]);
    const lower = { op: "set", path: "/copse/quota/bounded", data: '{"count":1,"bytes":1}' };
    expect(
      await codes(lower, { op: "set", path: "/bounded", data: "x".repeat(19) }, { op: "set", path: "/bounded", data: "x".repeat(20) }),
    ).toEqual([undefined, undefined, "QUOTA_EXCEEDED"]);
  });

  it("[Q4] quotas says each with what is used of it; soft bounds refuse nothing, and are counted in the metrics", async () => {
    await codes(bound("/soft", { softCount: 1 }), { op: "create", path: "/soft" }, { op: "create", path: "/soft/a", data: "12345" });
    const { quotas } = await client.ask({ op: "quotas" });
    expect(quotas).toEqual([
      { path: "/bounded", count: 1, bytes: 1, used: { count: 3, bytes: 19 } },
      { path: "/soft", softCount: 1, used: { count: 2, bytes: 5 } },
    ]);
    expect(await (await fetch(`${hub.page}/metrics`)).text()).toMatch(/^copse_quotas_over_soft_bound 1$/m);
    await codes({ op: "setAcl", path: "/copse/quota/soft", acl: [{ perms: ["admin"], scheme: "world", id: "anyone" }] });
    expect((await client.ask({ op: "quotas" }))["quotas"]).toHaveLength(1);
  });

  it("[Q5] are there again after a restart, from log and snapshot", async () => {
    const { quotas } = await client.ask({ op: "quotas" });
    const filler = Array.from({ length: 60 }, () => ({ op: "create", path: "/filler-", sequential: true, data: "x".repeat(1_000) }));
    await codes(...filler);
    await hub.stop();
    hub = await startHub({ snapshotLogBytes: 20_000 }, hub.data);
    client = await RawClient.connect(hub.url);
    expect((await client.ask({ op: "quotas" }))["quotas"]).toEqual(quotas);
    expect(await codes({ op: "create", path: "/bounded/more" }, { op: "delete", path: "/bounded/a" })).toEqual([
      "QUOTA_EXCEEDED",
      undefined,
    ]);
  });
});
