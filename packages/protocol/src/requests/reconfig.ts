/**
 * `reconfig` changes the ensemble: its members, which of them serve clients, and which one leads.
 */

import type { Limits } from "../limits.ts";
import { type Refusal, refuse } from "../replies/error-code.ts";
import { FieldReader } from "./field-reader.ts";

/** A member to add, or to give another role or address. */
export interface MemberWanted {
  readonly id: string;
  /** Where its peers reach it, HOST:PORT; null leaves what is known. */
  readonly peer: string | null;
  /** What its clients are told; null leaves what is known. */
  readonly url: string | null;
  readonly role: "voter" | "observer";
}

export interface Reconfig {
  readonly op: "reconfig";
  readonly add: readonly MemberWanted[];
  readonly remove: readonly string[];
  /** Members that take no clients and do not lead until they are undrained. */
  readonly drain: readonly string[];
  readonly undrain: readonly string[];
  /** The member that is to lead; null leaves it as it is. */
  readonly lead: string | null;
  /** Of the configuration; -1 matches any. */
  readonly version: number;
  /** Said by super: change it although too few of the members are linked, or several addresses at once. */
  readonly isForced: boolean;
}

/** Members of one ensemble. */
export const membersMax = 32;
/** UTF-16 units of an address or URL. */
const addressLengthMax = 512;

export function isMemberId(id: unknown): id is string {
  return typeof id === "string" && /^[1-9]\d{0,8}$/.test(id);
}

/** HOST:PORT, an IPv6 host in brackets. */
export function isPeerAddress(address: string): boolean {
  return address.length <= addressLengthMax && /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):\d{1,5}$/.test(address);
}

export function decodeReconfig(message: Record<string, unknown>, limits: Limits): Reconfig | Refusal {
  const reader = new FieldReader(message, limits);
  const version = reader.version();
  const isForced = reader.flag("force");
  const listed = reader.optional("add") ?? [];
  if (!Array.isArray(listed) || listed.length > membersMax) reader.blame("add", `must be an array of at most ${membersMax} members`);
  const [removed, drain, undrain] = ["remove", "drain", "undrain"].map((name) => {
    const ids = reader.optional(name) ?? [];
    if (Array.isArray(ids) && ids.length <= membersMax && ids.every(isMemberId)) return ids as string[];
    reader.blame(name, "must be an array of members' ids");
    return [];
  }) as [string[], string[], string[]];
  const lead = reader.optionalText("lead");
  if (lead !== null && !isMemberId(lead)) reader.blame("lead", "must be a member's id");
  if (reader.fault !== null) return reader.fault;
  const add: MemberWanted[] = [];
  for (const item of listed as unknown[]) {
    const wanted = decodeMember(item, limits);
    if (typeof wanted === "string") return refuse("BAD_ARGUMENTS", `add: ${wanted}`);
    add.push(wanted);
  }
  const changes = add.length + removed.length + drain.length + undrain.length + (lead === null ? 0 : 1);
  if (changes === 0) return refuse("BAD_ARGUMENTS", "nothing is to change: add, remove, drain, undrain and lead are all empty");
  const isTwice = (ids: readonly string[]): boolean => new Set(ids).size < ids.length;
  if (isTwice([...add.map(({ id }) => id), ...removed])) return refuse("BAD_ARGUMENTS", "add and remove name a member twice");
  if (isTwice([...drain, ...undrain])) return refuse("BAD_ARGUMENTS", "drain and undrain name a member twice");
  return { op: "reconfig", add, remove: removed, drain, undrain, lead, version, isForced };
}

/** The member, or what is wrong with it. */
function decodeMember(item: unknown, limits: Limits): MemberWanted | string {
  if (typeof item !== "object" || item === null || Array.isArray(item)) return "must hold objects";
  const reader = new FieldReader(item as Record<string, unknown>, limits);
  const id = reader.text("id");
  const peer = reader.optionalText("peer");
  const url = reader.optionalText("url");
  const role = reader.optionalText("role") ?? "voter";
  if (reader.fault !== null) return reader.fault.message;
  if (!isMemberId(id)) return "a member's id is a positive integer as text";
  if (peer !== null && !isPeerAddress(peer)) return "peer must be HOST:PORT";
  if (url !== null && (url.length > addressLengthMax || !/^wss?:\/\/[^\s]+$/.test(url))) return "url must begin with ws:// or wss://";
  if (role !== "voter" && role !== "observer") return "role is voter or observer";
  return { id, peer, url, role };
}

export function encodeReconfig({ op, add, remove, drain, undrain, lead, version, isForced }: Reconfig): string {
  return JSON.stringify({
    op,
    add,
    remove,
    ...(drain.length === 0 ? {} : { drain }),
    ...(undrain.length === 0 ? {} : { undrain }),
    ...(lead === null ? {} : { lead }),
    ...(version === -1 ? {} : { version }),
    ...(isForced ? { force: true } : {}),
  });
}
