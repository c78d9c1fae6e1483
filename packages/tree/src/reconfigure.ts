/**
 * Changes of the ensemble's table, and the znode that shows it.
 */
import { type MemberWanted, madeValue, membersMax, type Reconfig, type Refusal, refuse } from "@copse/protocol";
import { type Caller, mayDo } from "./acl.ts";
import { configPath, encodeConfig, type MemberRow } from "./ensemble.ts";
import type { Members, Work } from "./operation.ts";

/** Changes who is meant to be a member. */
export function reconfigure(work: Work, { add, remove, version }: Reconfig, caller: Caller): Members | Refusal {
  const { tree } = work;
  const table = tree.ensemble;
  const znode = tree.find(configPath)!;
  if (!mayDo(znode.acl, "write", caller)) return refuse("NO_AUTH", "needs the permission to write", configPath);
  if (version !== -1 && version !== table.version) {
    return refuse("BAD_VERSION", `the configuration has version ${table.version}`, configPath);
  }
  if (!table.isSettled) return refuse("RECONFIG_IN_PROGRESS", "the change before is still being carried out; try again");
  const rows = new Map(table.members.map((row) => [row.id, row]));
  for (const id of remove) {
    const row = rows.get(id);
    if (row === undefined) return refuse("BAD_ARGUMENTS", `remove: ${id} is not a member`);
    rows.set(id, { ...row, role: "leaving" });
  }
  for (const wanted of add) {
    const row = rowOf(wanted, rows.get(wanted.id));
    if (row === null) return refuse("BAD_ARGUMENTS", `add: ${wanted.id} is new, and needs a peer address`);
    rows.set(wanted.id, row);
  }
  if (rows.size > membersMax) return refuse("BAD_ARGUMENTS", `an ensemble has at most ${membersMax} members`);
  const voters = [...rows.values()].filter(({ role }) => role === "voter");
  if (voters.length === 0) return refuse("BAD_ARGUMENTS", "remove: the last voter has to stay");
  // A new voter counts only once it has caught up; those who vote already have to be a quorum among themselves.
  const voting = voters.filter(({ isVoting }) => isVoting);
  if (voting.filter(({ isUp }) => isUp).length * 2 <= voting.length) {
    return refuse("NO_QUORUM_IN_NEW_CONFIG", "too few of the voters that stay are up");
  }
  const members = [...rows.values()].sort((a, b) => Number(a.id) - Number(b.id));
  tree.ensemble = { ...table, members, version: table.version + 1, isSettled: false };
  showConfig(work);
  return `,${encodeConfig(tree.ensemble).slice(1, -1)}`;
}

function rowOf({ id, peer, url, role }: MemberWanted, known: MemberRow | undefined): MemberRow | null {
  if (known !== undefined) return { ...known, role, peer: peer ?? known.peer, url: url ?? known.url };
  if (peer === null) return null;
  return { id, role, isVoting: false, url: url ?? "", peer, directory: null, isUp: false };
}

/** Brings the znode in line with the table. */
export function showConfig(work: Work): void {
  const { tree } = work;
  const znode = tree.find(configPath)!;
  const text = encodeConfig(tree.ensemble);
  const value = madeValue(text, text.length, false);
  if (znode.value?.json !== value.json) work.setValue(configPath, znode, value);
}
