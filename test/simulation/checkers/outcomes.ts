/**
 * What clients saw against what was committed, once everything has come to rest (S8, S9, S12, S15).
 */
import type { Copse } from "@copse/client";
import type { Tree } from "@copse/tree";
import { type Happened, type Invariants, violate } from "./invariants.ts";
import { isRegisterLinearizable, type RegisterOperation } from "./linearizability.ts";

export interface Written {
  readonly data: string;
  outcome: "done" | "none" | "unknown";
}

export interface Followed {
  /** What the follower holds, by path. */
  state: Map<string, string | null>;
  since: number;
  /** Changes since the state, as text. */
  changes: string[];
  readonly client: Copse;
}

export interface Watched {
  readonly since: number;
  events: string[];
  isBroken: boolean;
  readonly client: Copse;
}

/** What clients write down. */
export interface Outcomes {
  /** Of each register. */
  readonly histories: ReadonlyMap<string, RegisterOperation[]>;
  readonly written: Written[];
  readonly followed: Followed[];
  readonly watched: Watched[];
}

/** What was seen against what was committed, once everything has come to rest. */
export function verifyOutcomes({ histories, written, followed, watched }: Outcomes, invariants: Invariants): void {
  for (const [path, history] of histories) {
    if (!isRegisterLinearizable(history)) violate("S9", `the history of ${path} is not linearizable`);
  }
  verifyWrites(written, invariants.happened);
  const { happened, reference } = invariants;
  for (const { since, state, changes, client } of followed) {
    if (client.state !== "connected") continue;
    const expected = happened.flatMap(({ zxid, applied }) => (zxid <= since ? [] : changesOf(zxid, applied.changes)));
    compareLists("S15", "a subscription", changes, expected);
    for (const [path, data] of state) {
      const znode = reference.find(path);
      const held = znode?.value === null || znode === undefined ? null : (JSON.parse(znode.value.json) as string);
      if (znode === undefined || held !== data) violate("S15", `a subscriber holds ${path} = ${data}, and it is ${held}`);
    }
    if (state.size !== reference.root.descendants + 1)
      violate("S15", `a subscriber holds ${state.size} znodes of ${reference.root.descendants + 1}`);
  }
  for (const { since, events, isBroken, client } of watched) {
    if (isBroken || client.state !== "connected") continue;
    const expected = happened.flatMap(({ zxid, applied }) =>
      zxid <= since ? [] : changesOf(zxid, applied.changes).filter((text) => / \/q(\/|$)/.test(text)),
    );
    compareLists("S15", "a watch", events, expected);
  }
  verifyEphemerals(invariants.reference);
}

/** Done once where it was acknowledged, at most once where that is unknown, never where it was refused. */
function verifyWrites(written: readonly Written[], happened: readonly Happened[]): void {
  const done = new Map<string, number>();
  for (const { applied, txn } of happened) {
    if (applied.outcome !== "done" || txn.kind !== "write") continue;
    for (const { value, kind } of applied.changes) {
      if (kind !== "created" && kind !== "changed") continue;
      const data = value === null ? "" : String(JSON.parse(value.json));
      done.set(data, (done.get(data) ?? 0) + 1);
    }
  }
  for (const { data, outcome } of written) {
    const times = done.get(data) ?? 0;
    if (outcome === "done" && times !== 1) violate("S8", `an acknowledged write of ${data} was done ${times} times`);
    if (outcome === "unknown" && times > 1) violate("S8", `a write of ${data} was done ${times} times`);
    if (outcome === "none" && times !== 0) violate("S8", `a refused write of ${data} was done`);
  }
}

/** An ephemeral stands exactly while its session does. */
function verifyEphemerals(reference: Tree): void {
  for (const parent of ["/e", "/lock"]) {
    for (const child of reference.find(parent)?.children?.after(null) ?? []) {
      if (child.kind.owner !== null && !reference.sessions.has(child.kind.owner))
        violate("S12", `${parent}/${child.name} outlived its session`);
    }
  }
}

function changesOf(zxid: number, changes: readonly { readonly kind: string; readonly path: string }[]): string[] {
  return changes
    .filter(({ kind }) => kind === "created" || kind === "changed" || kind === "deleted")
    .map(({ kind, path }) => `${zxid} ${kind} ${path}`);
}

function compareLists(invariant: string, who: string, seen: readonly string[], expected: readonly string[]): void {
  const length = Math.max(seen.length, expected.length);
  for (let at = 0; at < length; at++) {
    if (seen[at] !== expected[at])
      violate(invariant, `${who} saw "${seen[at] ?? "nothing"}" where "${expected[at] ?? "nothing"}" happened`);
  }
}
