/**
 * The newest changes, for whoever asks what happened since a zxid.
 *
 * It follows from the applied txns alone: a snapshot carries it and replay extends it, so it reaches back over a restart.
 * Invariant: every change behind `floor` is here, in zxid order. It keeps at least `changesMax` changes while their
 * data fits in `bytesMax`.
 */
import type { Change } from "@copse/tree";
import { aclFromItems, openAclOf } from "./held-acl.ts";

export interface Happened {
  readonly zxid: number;
  readonly changes: readonly Change[];
}

/** What is kept of a txn, and how much of the history it takes: when it goes, its changes are cold. */
interface Kept extends Happened {
  readonly count: number;
  readonly bytes: number;
}

export class History {
  readonly #changesMax: number;
  readonly #bytesMax: number;
  #txns: Kept[] = [];
  #head = 0;
  #changes = 0;
  #bytes = 0;
  #floor = 0;
  /** While lines are taken back: the changes of a zxid whose last line has not come, and the ACLs met so far. */
  #restored: Change[] = [];
  readonly #acls: Map<string, Change["acl"]> = new Map();

  constructor(changesMax: number, bytesMax: number) {
    this.#changesMax = changesMax;
    this.#bytesMax = bytesMax;
  }

  /** Becomes another history: that of a snapshot. */
  adopt(other: History): void {
    this.#txns = other.#txns;
    this.#head = other.#head;
    this.#changes = other.#changes;
    this.#bytes = other.#bytes;
    this.#floor = other.#floor;
  }

  /** The history knows all that came after this zxid, and nothing up to it. */
  get floor(): number {
    return this.#floor;
  }

  add(zxid: number, changes: readonly Change[]): void {
    if (changes.length === 0) return;
    const { count, bytes } = weigh(changes);
    this.#txns.push({ zxid, changes, count, bytes });
    this.#changes += count;
    this.#bytes += bytes;
    while (this.#head < this.#txns.length - 1 && this.#isOverFull()) this.#dropOldest();
    if (this.#head > 1024 && this.#head * 2 > this.#txns.length) {
      this.#txns = this.#txns.slice(this.#head);
      this.#head = 0;
    }
  }

  /** What came after `zxid`, oldest first, or null where the history does not reach back so far. */
  since(zxid: number): readonly Happened[] | null {
    if (zxid < this.#floor) return null;
    let low = this.#head;
    let high = this.#txns.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#txns[middle]!.zxid <= zxid) low = middle + 1;
      else high = middle;
    }
    return this.#txns.slice(low);
  }

  /** The whole history as lines of JSON, for a snapshot. The generator sees the history as it is now. */
  lines(): Generator<string, undefined> {
    return encodeLines(this.#floor, this.#txns.slice(this.#head));
  }

  /** Takes one line of `lines` back, in their order. */
  restore(line: string): void {
    const held = JSON.parse(line) as { floor: number } | HeldChanges;
    if ("floor" in held) this.#floor = held.floor;
    else {
      for (const change of held.changes) this.#restored.push(decodeChange(change, this.#acls));
      if (held.more === true) return;
      this.add(held.zxid, this.#restored);
      this.#restored = [];
    }
  }

  #isOverFull(): boolean {
    return this.#changes - this.#txns[this.#head]!.count >= this.#changesMax || this.#bytes > this.#bytesMax;
  }

  #dropOldest(): void {
    const { zxid, count, bytes } = this.#txns[this.#head]!;
    this.#changes -= count;
    this.#bytes -= bytes;
    this.#floor = zxid;
    this.#head++;
  }
}

/** The changes that count (the stats of parents come on top), and their bytes of data. */
function weigh(changes: readonly Change[]): Pick<Kept, "count" | "bytes"> {
  let count = 0;
  let bytes = 0;
  for (const { kind, value } of changes) {
    if (kind !== "children") count++;
    if (kind === "created" || kind === "changed") bytes += value?.bytes ?? 0;
  }
  return { count, bytes };
}

type HeldAcl = 0 | Change["acl"]["items"];
type HeldChange = Omit<Change, "acl" | "before" | "parentAcl"> & { acl: HeldAcl; before: HeldAcl | null; parentAcl: HeldAcl | null };

interface HeldChanges {
  readonly zxid: number;
  readonly changes: readonly HeldChange[];
  /** Other lines of this zxid follow. */
  readonly more?: boolean;
}

/** UTF-16 units of one line: a txn of many changes has several. */
const lineUnits = 1_048_576;

function* encodeLines(floor: number, txns: readonly Happened[]): Generator<string, undefined> {
  yield JSON.stringify({ floor });
  for (const { zxid, changes } of txns) {
    let texts: string[] = [];
    let units = 0;
    for (const change of changes) {
      const text = JSON.stringify(encodeChange(change));
      if (units + text.length > lineUnits && units > 0) {
        yield `{"zxid":${zxid},"more":true,"changes":[${texts.join(",")}]}`;
        texts = [];
        units = 0;
      }
      texts.push(text);
      units += text.length;
    }
    yield `{"zxid":${zxid},"changes":[${texts.join(",")}]}`;
  }
}

function encodeChange(change: Change): HeldChange {
  const { acl, before, parentAcl } = change;
  return { ...change, acl: openAclOf(acl), before: before && openAclOf(before), parentAcl: parentAcl && openAclOf(parentAcl) };
}

/** @param acls those met so far: the same ACL of many changes is one object, as it was before */
function decodeChange(held: HeldChange, acls: Map<string, Change["acl"]>): Change {
  const back = (items: HeldAcl): Change["acl"] => {
    if (items === 0) return aclFromItems(items);
    const key = JSON.stringify(items);
    const acl = acls.get(key) ?? aclFromItems(items);
    acls.set(key, acl);
    return acl;
  };
  const { acl, before, parentAcl } = held;
  return { ...held, acl: back(acl), before: before === null ? null : back(before), parentAcl: parentAcl === null ? null : back(parentAcl) };
}
