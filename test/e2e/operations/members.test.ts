/** What an operator does to members that run: who leads, who votes, who takes clients, and whether all hold the same tree. */
import { connect } from "@copse/client";
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses, metric } from "../../support/ensemble.ts";
import { copse, killAll, until } from "../../support/processes.ts";

afterEach(killAll);

const readiness = async (port: number): Promise<readonly [status: number, text: string]> => {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  return [answer.status, await answer.text()];
};

describe("members that run", { timeout: 180_000 }, () => {
  it("hand over, are drained and come back, observe and vote again", async () => {
    const ensemble = await EnsembleProcesses.start(3);
    const all = ensemble.urls.join(",");
    const first = await ensemble.leader();
    const client = await connect(ensemble.urls);
    await client.create("/held", "x", { ephemeral: true });

    const others = ensemble.members.filter((member) => member !== first);
    expect(await copse(all, "member", "hand-over", others[1]!.id)).toMatchObject({ code: 0, out: `member ${others[1]!.id} leads\n` });
    expect(await ensemble.leader()).toBe(others[1]);
    expect((await copse(all, "member", "hand-over", "9")).code).toBe(2);

    // The leader is drained: another leads, its clients go on elsewhere with their sessions, and it goes on voting.
    const drained = others[1]!;
    const there = await connect(drained.url);
    const { sessionId } = there;
    await there.create("/there", "", { ephemeral: true });
    expect(await copse(all, "drain", drained.id)).toMatchObject({ code: 0, err: "" });
    await until(async () => (await readiness(drained.port))[0] === 503);
    expect((await readiness(drained.port))[1]).toContain("drained");
    expect((await there.get("/there")).stat.ephemeralOwner).toBe(sessionId);
    expect(there.sessionId).toBe(sessionId);
    await until(async () => (await metric(drained.port, "copse_connections")) === 0);
    expect(await ensemble.leader()).not.toBe(drained);
    expect((await copse(all, "member", "list")).out).toMatch(/up, drained/);
    expect((await copse(drained.url, "--timeout", "500", "get", "/held")).err).toContain("drained");
    // It is remembered, and the last that takes clients stays.
    await drained.process.kill9();
    await ensemble.restart(drained);
    await until(async () => (await readiness(drained.port))[1].includes("drained"));
    const [one, two] = ensemble.members.filter((member) => member !== drained);
    expect((await copse(all, "drain", one!.id)).code).toBe(0);
    expect(await copse(all, "drain", two!.id)).toMatchObject({ code: 2, err: expect.stringContaining("a voter has to stay") });
    expect((await copse(two!.url, "drain", one!.id, "--off")).code).toBe(0);
    expect((await copse(two!.url, "drain", drained.id, "--off")).code).toBe(0);
    await until(async () => (await readiness(drained.port))[0] === 200);

    const lead = await ensemble.leader();
    const follower = ensemble.members.find((member) => member !== lead)!;
    expect((await copse(all, "member", "demote", follower.id)).code).toBe(0);
    await until(async () => (await client.ensemble()).members.find(({ id }) => id === follower.id)?.role === "observer");
    expect((await copse(all, "member", "promote", follower.id)).code).toBe(0);
    await until(async () => (await client.ensemble()).members.find(({ id }) => id === follower.id)?.role === "follower");
    expect((await client.get("/held")).data).toBe("x");

    const { code, out } = await copse(all, "-o", "json", "member", "status");
    const shown = JSON.parse(out) as { id: string; stats: { member: string; term: number } }[];
    expect([code, shown.map(({ id, stats }) => [id, stats.member])]).toEqual([0, ["1", "2", "3"].map((id) => [id, id])]);
    expect(new Set(shown.map(({ stats }) => stats.term)).size).toBe(1);

    const compared = await copse(all, "hash");
    expect([compared.code, compared.out]).toEqual([0, expect.stringMatching(/at zxid \d+: all members hold the same tree/)]);
    const hashes = new Set(
      compared.out
        .split("\n")
        .slice(1, 4)
        .map((line) => line.split(/\s+/)[1]),
    );
    expect(hashes.size).toBe(1);
    await Promise.all([client.close(), there.close()]);
  });

  it("refuse what would fill the leader's disk, whoever is asked, until another leads", async () => {
    const ensemble = await EnsembleProcesses.start(3, {
      flagsOf: (id) => (id === "1" ? EnsembleProcesses.config({ diskReserveBytes: 2 ** 50 }) : []),
    });
    const all = ensemble.urls.join(",");
    const [full, two] = ensemble.members;
    expect((await copse(all, "member", "hand-over", "1")).code).toBe(0);
    const client = await connect(two!.url);
    const refusal = (): Promise<unknown> =>
      client.create("/n-", "x", { sequential: true }).then(
        () => null,
        (error: unknown) => error,
      );
    await until(async () => (await refusal()) !== null);
    expect(await refusal()).toMatchObject({ code: "QUOTA_EXCEEDED", message: expect.stringContaining("the member that leads") });
    // What does not grow goes on.
    await client.set("/", "");
    await client.exists("/n");
    expect((await copse(all, "drain", full!.id)).code).toBe(0);
    await until(async () => (await refusal()) === null);
    await client.close();
  });

  it("are measured by the command, which leaves nothing behind", async () => {
    const ensemble = await EnsembleProcesses.start(1);
    const { code, out } = await copse(ensemble.urls[0]!, "-o", "json", "perf", "--seconds", "1");
    const measured = JSON.parse(out) as { perSecond: number; p99Ms: number }[];
    expect([code, measured.length]).toEqual([0, 3]);
    expect(measured.every(({ perSecond, p99Ms }) => perSecond > 0 && p99Ms > 0)).toBe(true);
    expect((await copse(ensemble.urls[0]!, "ls", "/")).out).toBe("copse\n");
  });
});
