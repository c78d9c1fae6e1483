/** Who is derived first, and what is not derived at all. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { PasswordProver } from "../src/credentials/passwords.ts";

const limits = { derivationsPerAddress: 100, superFailuresPerMinute: 10 };
const asking = { salt: "c", address: "192.0.2.1", isWanted: () => true, proved: null };
const digest = (credential: string): string => createHash("sha1").update(credential).digest("base64");

const proved = (prover: PasswordProver, credential: string, before: typeof asking.proved | readonly object[] = null): Promise<unknown> =>
  new Promise((resolve) => prover.proveOne({ scheme: "digest", credential }, { ...asking, proved: before as null }, resolve));

it("a session that comes back is before those that are new", async () => {
  const prover = new PasswordProver(null, limits);
  const order: string[] = [];
  const ask = (user: string, before: readonly [] | null): Promise<unknown> =>
    proved(prover, `${user}:x`, before).then(() => void order.push(user));
  const all = [...["a", "b", "c", "d", "e", "f"].map((user) => ask(user, null)), ask("back", [])];
  await Promise.all(all);
  // Two were under way when it came.
  expect(order.indexOf("back")).toBeLessThanOrEqual(3);
});

it("what a session has proved is not derived anew; another password is", async () => {
  const first = new PasswordProver(null, limits);
  const outcome = (await proved(first, "ann:right")) as { proofs: { identities: object[] }[] };
  const { identities } = outcome.proofs[0]!;
  expect(identities).toEqual([
    { scheme: "digest", id: `ann:${digest("ann:right")}` },
    { scheme: "scrypt", id: expect.stringMatching(/^ann:/) },
  ]);
  const elsewhere = new PasswordProver(null, limits);
  expect(await proved(elsewhere, "ann:right", identities)).toEqual({ proofs: [{ identities }] });
  expect(elsewhere.derived).toBe(0);
  expect(await proved(elsewhere, "ann:wrong", identities)).not.toEqual({ proofs: [{ identities }] });
  expect(elsewhere.derived).toBe(1);
});
