/**
 * What consensus keeps: entries, the hard state, snapshots' heads, configurations as values.
 *
 * A payload is opaque text, in one piece or in parts. A membership change is an entry too, because it has to be agreed like any other.
 */

/** A member's id: a positive integer. 0 stands for nobody. */
export type MemberId = number;
export const nobody: MemberId = 0;

export type ChangeKind = "add-voter" | "add-learner" | "remove" | "update";

/** One step of a membership change. */
export interface MemberChange {
  readonly kind: ChangeKind;
  readonly member: MemberId;
}

/**
 * A membership change (dissertation, chapter 4). `auto` takes the simple way where one member changes, else a joint
 * configuration that is left by itself; the other two always go through a joint one, which `explicit` leaves only on request.
 */
export interface MembershipChange {
  readonly transition: "auto" | "implicit" | "explicit";
  readonly changes: readonly MemberChange[];
}

/**
 * Text in parts that nobody joins as long as it is not read: what is large goes from a socket to the disk without a copy of it on the way, and
 * whoever keeps the text shares the part with whoever keeps the value.
 */
export class Parts {
  readonly parts: readonly string[];
  /** UTF-16 units of all of them. */
  readonly length: number;

  constructor(parts: readonly string[]) {
    this.parts = parts;
    this.length = parts.reduce((sum, part) => sum + part.length, 0);
  }
}

export type Payload = string | Parts;

export function partsOf(payload: Payload): readonly string[] {
  return typeof payload === "string" ? [payload] : payload.parts;
}

export function payloadText(payload: Payload): string {
  return typeof payload === "string" ? payload : payload.parts.join("");
}

export type EntryKind = "normal" | "simple-change" | "change";

export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly kind: EntryKind;
  /** Of a normal entry; empty for any other. */
  readonly payload: Payload;
  /** Of a membership change; one without changes leaves a joint configuration. */
  readonly change: MembershipChange | null;
}

/** A proposal: an entry that has no place yet. */
export type Proposal = Pick<Entry, "kind" | "payload" | "change">;

export interface HardState {
  readonly term: number;
  readonly vote: MemberId;
  readonly commit: number;
}

/** A configuration as snapshots carry it; all lists ascend. */
export interface Configuration {
  readonly voters: readonly MemberId[];
  /** Voters of the configuration that is being left; empty where it is not joint. */
  readonly outgoing: readonly MemberId[];
  readonly learners: readonly MemberId[];
  /** Voters of the outgoing configuration that become learners when it is left. */
  readonly learnersNext: readonly MemberId[];
  readonly autoLeave: boolean;
}

export const emptyConfiguration: Configuration = { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** The head of a snapshot: what stands after entry `index`. */
export interface SnapshotHead {
  readonly index: number;
  readonly term: number;
  readonly configuration: Configuration;
}

/** Bytes of an entry as the limits count them: three numbers and the payload, each as a protocol buffer would write it. */
export function sizeOf(entry: Entry): number {
  const { length } = entry.payload;
  const kind = entry.kind === "normal" ? 0 : 1;
  const payload = length === 0 && entry.kind === "normal" ? 0 : 1 + varintBytes(length) + length;
  return 1 + varintBytes(kind) + 1 + varintBytes(entry.term) + 1 + varintBytes(entry.index) + payload;
}

export function sizeOfAll(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 128; left = Math.floor(left / 128)) bytes++;
  return bytes;
}

/** The longest beginning of `entries` within `bytesMax`, and at least the first. */
export function limitSize(entries: readonly Entry[], bytesMax: number): readonly Entry[] {
  let bytes = 0;
  for (const [at, entry] of entries.entries()) {
    bytes += sizeOf(entry);
    if (at > 0 && bytes > bytesMax) return entries.slice(0, at);
  }
  return entries;
}
