/**
 * Ways to show somebody what he may not see: by an identity that has ended, was revoked, or has no right.
 */
const replica = "packages/replica/src";
const tree = "packages/tree/src";

export const identityMutations = [
  {
    name: "M31",
    what: "a revocation misses the subscriptions that are open",
    seed: 7,
    patches: [
      {
        file: `${replica}/sessions/sessions.ts`,
        from: "held !== undefined && held !== connection.identities.held &&",
        to: "held === undefined && connection.identities.held === null &&",
      },
    ],
  },
  {
    name: "M32",
    what: "whether an identity has ended is judged by the clock where the write is applied",
    seed: 7,
    patches: [
      {
        file: `${tree}/apply.ts`,
        from: "return Math.max(txn.wall ?? 0, stamp);",
        to: "return Date.now() % 2 === 0 ? 0 : 1e15;",
      },
    ],
  },
  {
    name: "M33",
    what: "a member shows what an identity gave after that has ended by its clock",
    seed: 15,
    patches: [{ file: `${replica}/sessions/lapses.ts`, from: "if (wall < this.#lookAt) return;", to: "if (wall >= 0) return;" }],
  },
  {
    name: "M36",
    what: "a renewal gives subscriptions their state again",
    seed: 1,
    runs: "runRenewals",
    patches: [
      {
        file: `${replica}/sessions/lapses.ts`,
        from: "if (!areSame(before, connection.caller.identities)) this",
        to: "if (before !== null) this",
      },
    ],
  },
];
