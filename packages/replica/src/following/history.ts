/**
 * The newest changes: what happened since a zxid.
 *
 * It follows from the applied txns alone: a snapshot carries it and replay extends it, so it reaches back over a restart.
 * Invariant: every change after `floor` is here, in zxid order. It keeps at least `changesMax` changes while their
 * data and ACLs, each ACL counted once, fit in `bytesMax`, unless the heap is nearly full.
 */
import { type AclItem, keptValue, type Value } from "@copse/protocol";
import { type Acl, type AclLine, AclLines, AclTable, type Change, open } from "@copse/tree";

export interface Happened {
  readonly zxid: number;
  readonly changes: readonly Change[];
}

/** What is kept of a txn, and how much of the history it takes: by the time it is dropped, its changes are no longer in cache. */
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
  /** How many changes name each ACL. */
  #acls: Map<Acl, number> = new Map();
  /** While lines are taken back: the changes of a zxid whose last line has not come, and the ACLs met so far. */
  #restored: Change[] = [];
  #restoredAcls: RestoredAcls = new RestoredAcls();

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
    this.#acls = other.#acls;
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
    this.#countAcls(changes, 1);
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

  /**
   * The whole history as lines of JSON, for a snapshot. The generator sees the history as it is now.
   * @param format of the snapshot
   */
  lines(format: number): Generator<string, undefined> {
    return encodeLines(this.#floor, this.#txns.slice(this.#head), new AclLines(format));
  }

  /** Takes one line of `lines` back, in their order. */
  restore(line: string): void {
    const held = JSON.parse(line) as { floor: number } | AclLine | HeldChanges;
    if ("floor" in held) this.#floor = held.floor;
    else if ("acl" in held) this.#restoredAcls.take(held);
    else {
      for (const change of held.changes) this.#restored.push(decodeChange(change, this.#restoredAcls));
      if (held.more === true) return;
      this.add(held.zxid, this.#restored);
      this.#restored = [];
    }
  }

  /** Drops the older half, measured in bytes. A client that resumes from there gets the whole state. */
  shed(): void {
    const half = this.#bytes / 2;
    while (this.#head < this.#txns.length - 1 && this.#bytes > half) this.#dropOldest();
    this.#txns = this.#txns.slice(this.#head);
    this.#head = 0;
  }

  #isOverFull(): boolean {
    return this.#changes - this.#txns[this.#head]!.count >= this.#changesMax || this.#bytes > this.#bytesMax;
  }

  #dropOldest(): void {
    const { zxid, count, bytes, changes } = this.#txns[this.#head]!;
    this.#changes -= count;
    this.#bytes -= bytes;
    if (this.#acls.size > 0) this.#countAcls(changes, -1);
    this.#floor = zxid;
    this.#head++;
  }

  #countAcls(changes: readonly Change[], step: 1 | -1): void {
    for (const { acl, before, parentAcl } of changes) {
      if (acl !== open) this.#countAcl(acl, step);
      if (before !== null && before !== open) this.#countAcl(before, step);
      if (parentAcl !== null && parentAcl !== open) this.#countAcl(parentAcl, step);
    }
  }

  #countAcl(acl: Acl, step: 1 | -1): void {
    const count = (this.#acls.get(acl) ?? 0) + step;
    if (count === step) this.#bytes += acl.bytes;
    if (count > 0) this.#acls.set(acl, count);
    else {
      this.#acls.delete(acl);
      this.#bytes -= acl.bytes;
    }
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

/** 0 for the open one, the number of a line before, or (in snapshots of formats older than 3) the items. */
type HeldAcl = number | readonly AclItem[];
type HeldValue = Pick<Value, "json" | "bytes"> & { readonly isBase64?: boolean };
type HeldChange = Omit<Change, "acl" | "before" | "parentAcl" | "value"> & {
  readonly acl: HeldAcl;
  readonly before: HeldAcl | null;
  readonly parentAcl: HeldAcl | null;
  readonly value: HeldValue | null;
};

interface HeldChanges {
  readonly zxid: number;
  readonly changes: readonly HeldChange[];
  /** Other lines of this zxid follow. */
  readonly more?: boolean;
}

/** UTF-16 units of one line: a txn of many changes has several. */
const lineUnits = 1_048_576;

function* encodeLines(floor: number, txns: readonly Happened[], acls: AclLines): Generator<string, undefined> {
  yield JSON.stringify({ floor });
  const aclLines: string[] = [];
  for (const { zxid, changes } of txns) {
    let texts: string[] = [];
    let units = 0;
    for (const change of changes) {
      const text = encodeChange(change, acls, aclLines);
      for (const line of aclLines.splice(0)) yield line;
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

function encodeChange({ acl, before, parentAcl, value, ...rest }: Change, acls: AclLines, lines: string[]): string {
  const refer = (one: Acl | null): string | number => (one === null ? "null" : acls.refer(one, (line) => lines.push(line)));
  const referred = `"acl":${refer(acl)},"before":${refer(before)},"parentAcl":${refer(parentAcl)}`;
  return `${JSON.stringify(rest).slice(0, -1)},"value":${value === null ? "null" : encodeValue(value)},${referred}}`;
}

function encodeValue({ json, bytes, isBase64 }: Value): string {
  return `{"json":${quoted(json)},"bytes":${bytes},"isBase64":${isBase64}}`;
}

/** A literal as a literal. One that escapes nothing holds nothing that needs it but its own quotes. */
function quoted(json: string): string {
  return json.includes("\\") ? JSON.stringify(json) : `"\\"${json.slice(1, -1)}\\""`;
}

/** Lines of some older builds do not say which it is: bytes take more characters as base64 than they are, and no text does. */
function decodeValue({ json, bytes, isBase64 = !json.includes("\\") && bytes < json.length - 2 }: HeldValue): Value {
  return keptValue(json, bytes, isBase64);
}

/** The ACLs of the lines that were taken back: the same ACL of many changes is one object, as it was before. */
class RestoredAcls {
  readonly #table: AclTable = new AclTable();
  readonly #byNumber: Map<number, Acl> = new Map();

  take({ acl, items, default: defaultItems }: AclLine): void {
    this.#byNumber.set(acl, this.#table.of(items, defaultItems ?? null));
  }

  of(held: HeldAcl): Acl {
    if (held === 0) return open;
    if (typeof held === "number") {
      const acl = this.#byNumber.get(held);
      if (acl === undefined) throw new Error("a snapshot's history holds a change before its ACL");
      return acl;
    }
    const acl = this.#table.of(held, null);
    this.#table.count(acl, 1);
    return acl;
  }
}

function decodeChange(held: HeldChange, acls: RestoredAcls): Change {
  const { acl, before, parentAcl, value } = held;
  const orNull = (one: HeldAcl | null): Acl | null => (one === null ? null : acls.of(one));
  return { ...held, value: value && decodeValue(value), acl: acls.of(acl), before: orNull(before), parentAcl: orNull(parentAcl) };
}
