/**
 * Who is a member: the ensemble's table in the replicated state, and the znode that shows it.
 *
 * `reconfig` says who is meant to be a member; the coordinator brings consensus in line with that and writes down how far it
 * is (`configure`). Invariants: the table never loses its last voter; `version` grows with each reconfig and with nothing
 * else; a member is bound to the data directory it was first seen with, until it is removed.
 */
export interface MemberRow {
  readonly id: string;
  /** What it is meant to be; leaving, until consensus does not count it any more. */
  readonly role: "voter" | "observer" | "leaving";
  /** True once consensus counts its vote. */
  readonly isVoting: boolean;
  /** What clients are told; "" until the member has said it. */
  readonly url: string;
  /** Where its peers reach it. */
  readonly peer: string;
  /** The address for peers that it was last started with; absent until it has said one. */
  readonly startPeer?: string;
  /** The newest entry that it is known to hold durably: a data directory that ends before it is an older copy. */
  readonly acknowledged?: number;
  /** The data directory that it is bound to; null until it was first seen. */
  readonly directory: string | null;
  readonly isUp: boolean;
  /** It takes no clients, and does not lead, until it is undrained. */
  readonly isDrained?: true;
  /** The newest format of entries that it has said it reads; absent for builds of format 2 and older, which don't say it here. */
  readonly reads?: number;
}

export interface EnsembleTable {
  /** The cluster's id; "" until there is one. */
  readonly cluster: string;
  /** What passwords are salted with; absent for the cluster's id. A cluster that was brought back has that of the one before. */
  readonly salt?: string;
  readonly version: number;
  /** The member that coordinated last, or "". */
  readonly leader: string;
  /** True once consensus has the members that the table names, voters that still catch up aside. */
  readonly isSettled: boolean;
  /** The member that is to lead, until it does; absent where nobody was named. */
  readonly nextLeader?: string;
  /** In the order of ids. */
  readonly members: readonly MemberRow[];
}

export const noEnsemble: EnsembleTable = { cluster: "", version: 0, leader: "", isSettled: true, members: [] };

/** The znode that holds the ensemble's configuration. */
export const configPath = "/copse/config";

export function isStaying({ role }: MemberRow): boolean {
  return role !== "leaving";
}

export type ShownRole = "leader" | "follower" | "observer";

export function shownRole({ id, isVoting }: MemberRow, leader: string): ShownRole {
  return id === leader ? "leader" : isVoting ? "follower" : "observer";
}

/** A member in the configuration that everyone is shown; where its peers reach it is for admins. */
export interface ConfiguredMember {
  readonly id: string;
  readonly role: ShownRole;
  readonly url: string;
  readonly peer: string;
  readonly state: "up" | "down";
  readonly drained?: true;
}

export interface ShownConfig {
  readonly members: readonly ConfiguredMember[];
  readonly leader: string;
  readonly version: number;
}

export function configOf({ members, leader, version }: EnsembleTable): ShownConfig {
  const shown = members.filter(isStaying).map(
    (row): ConfiguredMember => ({
      id: row.id,
      role: shownRole(row, leader),
      url: row.url,
      peer: row.peer,
      state: row.isUp ? "up" : "down",
      ...(row.isDrained === true ? { drained: true } : {}),
    }),
  );
  return { members: shown, leader, version };
}

/** The configuration as its znode holds it. */
export function encodeConfig(table: EnsembleTable): string {
  return JSON.stringify(configOf(table));
}

/** What `encodeConfig` has written. */
export function decodeConfig(text: string): ShownConfig {
  return JSON.parse(text) as ShownConfig;
}
