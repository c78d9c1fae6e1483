/**
 * Changes of the ensemble's table, and the znode that shows it.
 */
import { type MemberWanted, madeValue, membersMax, type Reconfig, type Refusal, refuse, type WriteResult } from "@copse/protocol";
import { type Caller, isSuper, mayDo } from "../access/acl.ts";
import { isAdmin } from "../access/permission.ts";
import { configOf, configPath, encodeConfig, type MemberRow } from "../ensemble.ts";
import type { Work } from "./operation.ts";

/**
 * Changes who is meant to be a member.
 * @param isWorldAdmin whether what the root's ACL grants to everyone makes an admin
 */
export function reconfigure(
  work: Work,
  { add, remove, drain, undrain, lead, version, isForced }: Reconfig,
  caller: Caller,
  isWorldAdmin: boolean,
): WriteResult | Refusal {
  const { tree, format } = work;
  const table = tree.ensemble;
  if (format < 3) {
    if (!mayDo(tree.find(configPath)!.acl, "write", caller)) return refuse("NO_AUTH", "needs the permission to write", configPath);
  } else if (!isAdmin(tree, caller, isWorldAdmin)) return refuse("NO_AUTH", "needs the permission to administer the root", "/");
  if (isForced && !isSuper(caller)) return refuse("NO_AUTH", "force is for super alone", configPath);
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
  for (const [ids, isDrained] of [
    [drain, true],
    [undrain, false],
  ] as const) {
    for (const id of ids) {
      const row = rows.get(id);
      if (row === undefined) return refuse("BAD_ARGUMENTS", `${isDrained ? "drain" : "undrain"}: ${id} is not a member`);
      const { isDrained: _, ...rest } = row;
      rows.set(id, isDrained ? { ...rest, isDrained } : rest);
    }
  }
  const moved = add.filter(({ id, peer }) => peer !== null && (rows.get(id)?.peer ?? "") !== "" && rows.get(id)?.peer !== peer);
  if (format >= 3 && moved.length > 1 && !isForced) return refuse("BAD_ARGUMENTS", "add: peers' addresses change one at a time");
  for (const wanted of add) {
    // What clients are told, a member says of itself.
    const row = rowOf(format < 3 ? wanted : { ...wanted, url: null }, rows.get(wanted.id));
    if (row === null) return refuse("BAD_ARGUMENTS", `add: ${wanted.id} is new, and needs a peer address`);
    rows.set(wanted.id, row);
  }
  if (rows.size > membersMax) return refuse("BAD_ARGUMENTS", `an ensemble has at most ${membersMax} members`);
  const voters = [...rows.values()].filter(({ role }) => role === "voter");
  if (voters.length === 0) return refuse("BAD_ARGUMENTS", "remove: the last voter has to stay");
  if (voters.every(({ isDrained }) => isDrained === true)) return refuse("BAD_ARGUMENTS", "drain: a voter has to stay that serves clients");
  const next = lead === null ? undefined : rows.get(lead);
  if (lead !== null && !(next?.role === "voter" && next.isVoting && next.isDrained !== true)) {
    return refuse("BAD_ARGUMENTS", `lead: ${lead} is no voter that serves clients`);
  }
  // A new voter counts only once it has caught up; those who vote already have to be a quorum among themselves.
  const voting = voters.filter(({ isVoting }) => isVoting);
  const isLinked = ({ id, isUp }: MemberRow): boolean => isUp && (format < 3 || id === table.leader || !moved.some((one) => one.id === id));
  if (!isForced && voting.filter(isLinked).length * 2 <= voting.length) {
    return refuse("NO_QUORUM_IN_NEW_CONFIG", "too few of the voters that stay are up");
  }
  const members = [...rows.values()].sort((a, b) => Number(a.id) - Number(b.id));
  const { nextLeader: _, ...rest } = table;
  tree.ensemble = {
    ...rest,
    ...(lead === null || lead === table.leader ? {} : { nextLeader: lead }),
    members,
    version: table.version + 1,
    isSettled: false,
  };
  showConfig(work);
  return configOf(tree.ensemble);
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
