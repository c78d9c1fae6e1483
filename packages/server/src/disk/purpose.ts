/** What a data directory is for, and whether its member may found an ensemble with it. */
import type { FoundingRule } from "@copse/replica";
import type { ServerConfig } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import type { Storage } from "./storage.ts";

/** What a new data directory is for. @throws ConfigError where --peers leaves it open */
export function purposeOf({ member, peers, isJoining }: ServerConfig): "alone" | "founding" | "joining" {
  if (isJoining) return "joining";
  if (peers.every(({ id }) => id === member)) return "alone";
  if (peers.some(({ id }) => id === member)) return "founding";
  throw notNamed(member);
}

/**
 * A directory that was made to join never founds; nor does one that was made for an ensemble and is not told with whom.
 * @throws ConfigError where a hub that was alone is told of others and not of itself
 */
export function foundingOf(
  { isFounding, peers, isJoining, member, of }: ServerConfig,
  { cluster, joins = false }: Storage["identity"],
): FoundingRule {
  if (of.length > 0 || isJoining || joins || (cluster === null && peers.length === 0)) return "never";
  if (cluster !== null && peers.length > 0 && !peers.some(({ id }) => id === member)) throw notNamed(member);
  return isFounding ? "majority" : "all";
}

function notNamed(member: string): ConfigError {
  return new ConfigError(`peers: member ${member} is not among them; pass --join to join a running ensemble`);
}
