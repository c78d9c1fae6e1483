/** A member that was taken out of the ensemble: it hears of it, serves nobody, says how to go on, and comes back. */
import { afterEach, describe, expect, it } from "vitest";
import { EnsembleProcesses } from "../../support/ensemble.ts";
import { copse, killAll, until } from "../../support/processes.ts";
import { RawClient } from "../../support/raw-client.ts";

afterEach(killAll);

const readiness = async (port: number): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
  return `${answer.status} ${await answer.text()}`;
};

describe("a member that was removed", () => {
  // Nobody dials the one with the lowest id, and it dials nobody while it has a link.
  it.each(["1", "3"])("hears of it, also at its next start: member %s", { timeout: 180_000 }, async (id) => {
    const ensemble = await EnsembleProcesses.start(3);
    const removed = ensemble.members[Number(id) - 1]!;
    const others = ensemble.members
      .filter((member) => member !== removed)
      .map(({ url }) => url)
      .join(",");
    await until(async () => (await readiness(removed.port)).startsWith("200"));
    const reader = await RawClient.connect(`${removed.url}/v1`, { readOnly: true });
    expect((await copse(others, "member", "remove", id)).code).toBe(0);
    expect((await reader.closed).code).toBe(4503);
    const isOut = async (): Promise<void> => {
      await until(async () => (await readiness(removed.port)).startsWith("503 not ready: this member was removed from the ensemble"));
      for (const members of [{}, { readOnly: true }]) {
        const stranger = await RawClient.open(`${removed.url}/v1`);
        expect(await stranger.ask({ op: "connect", ...members })).toMatchObject({
          error: { code: "UNAVAILABLE", message: expect.stringContaining("copse member add") },
        });
        expect((await stranger.closed).code).toBe(4503);
      }
      await removed.process.printed(/this member was removed from the ensemble, and serves nobody/);
    };
    await isOut();
    expect((await copse(others, "set", "/", "newer")).code).toBe(0);
    await removed.process.kill9();
    await ensemble.restart(removed);
    await isOut();
    // The others go on, and take it back with what it has.
    expect((await copse(others, "member", "add", id, "--peer", ensemble.peerAddress(id))).code).toBe(0);
    await until(async () => (await readiness(removed.port)).startsWith("200"));
    expect((await copse(removed.url, "get", "/")).out.trim()).toBe("newer");
  });
});
