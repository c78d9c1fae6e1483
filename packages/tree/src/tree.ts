/**
 * The tree of znodes and the sessions: the whole replicated state, and the few ways in which it changes.
 *
 * Invariants: `zxid` counts the txns that succeeded, `time` never goes back. Each change first shows itself to the
 * point-in-time readers, so that they may put the old znode aside, and leaves its inverse in the journal while one is
 * kept, so that a multi can be undone. Whether a change is allowed is not decided here (operation.ts).
 */
import { isWithin, nameOf, parentOf, quotaRoot, rulesPath, type Value, versionMax } from "@copse/protocol";
import { type Acl, open } from "./access/acl.ts";
import { AclTable } from "./access/acl-table.ts";
import type { Identities } from "./access/identities.ts";
import { Revocations } from "./access/revocations.ts";
import { Rules } from "./access/rules.ts";
import { documentOf } from "./access/rules-document.ts";
import { Creators } from "./creators.ts";
import { type EnsembleTable, noEnsemble } from "./ensemble.ts";
import { QuotaTable } from "./operations/quota.ts";
import { AsideBudget, copier, TreeReader, TreeView } from "./reader.ts";
import { type Session, type SessionTable, sessionTable } from "./session-table.ts";
import { persistent, Znode } from "./znode.ts";

/** Limits that decide results, and so belong to the replicated state (a configure txn sets them). */
export interface TreeLimits {
  readonly ephemerals: number;
  readonly recursiveDeletes: number;
  /** Absent where a build that has no such limit wrote it last. */
  readonly identities?: number;
}

const [reservedName, rulesName] = rulesPath.slice(1).split("/") as [string, string];

/** Bytes that readers with a bound put aside, all together. */
const asideBytesMax = 67_108_864;

export class Tree {
  root: Znode;
  zxid = 0;
  /** Index of the last log entry applied: kept inside the state, so that the two can't part. */
  index = 0;
  /** Milliseconds since the epoch, of the last txn. */
  time = 0;
  limits: TreeLimits = { ephemerals: 100_000, recursiveDeletes: 100_000 };
  ensemble: EnsembleTable = noEnsemble;
  sessions: SessionTable = sessionTable();
  /** Znodes whose ACL does not let everyone read: where there are none, visibility needs no look. */
  restricted = 0;
  /** Containers and TTL znodes: those the reaper looks at. */
  reapable: Set<Znode> = new Set();
  /** The ACLs of the znodes. */
  acls: AclTable = new AclTable();
  readonly quotas: QuotaTable = new QuotaTable(this);
  revocations: Revocations = new Revocations();
  creators: Creators = new Creators();
  #rules: Rules | null = null;
  #subjects: Map<string, number> = new Map();
  #journal: (() => void)[] | null = null;
  /** What is being read, by part and state. */
  #views: Set<TreeView> = new Set();
  #asides: AsideBudget = new AsideBudget(asideBytesMax);
  readonly #sessionReaders: Set<(session: Session) => void> = new Set();

  constructor() {
    this.root = bareZnode("", null);
    const reserved = bareZnode("copse", this.root);
    for (const znode of [reserved, bareZnode("config", reserved)]) this.place(znode);
  }

  /**
   * Becomes another state: one that a snapshot brought. `other` is not to be used after it. Readers that are open go on
   * with the state they were opened on.
   */
  adopt(other: Tree): void {
    const { root, zxid, index, time, limits, ensemble, sessions, restricted, reapable, acls, revocations, creators } = other;
    Object.assign(this, { root, zxid, index, time, limits, ensemble, sessions, restricted, reapable, acls, revocations, creators });
    this.#rules = other.rules;
    this.#subjects = other.#subjects;
    this.quotas.forget();
    this.#views = new Set();
    this.#asides = new AsideBudget(asideBytesMax);
    this.#sessionReaders.clear();
  }

  /** The rules, compiled; null where there is no document. */
  get rules(): Rules | null {
    return this.#rules;
  }

  /** The zxid of the newest change of the rules, or a later one. */
  get rulesZxid(): number {
    return this.find(rulesPath)?.mzxid ?? this.find(parentOf(rulesPath))!.pzxid;
  }

  /** True where some caller may not see everything. */
  get hides(): boolean {
    return this.restricted > 0 || this.#rules !== null;
  }

  find(path: string): Znode | undefined {
    let znode: Znode | undefined = this.root;
    if (path.length === 1) return znode;
    for (let from = 1; znode !== undefined; ) {
      const slash = path.indexOf("/", from);
      if (slash < 0) return znode.child(path.slice(from));
      znode = znode.child(path.slice(from, slash));
      from = slash + 1;
    }
    return undefined;
  }

  /** The deepest znode on the way to `path`, and the names that are missing after it. */
  findNearest(path: string): { readonly znode: Znode; readonly missing: readonly string[] } {
    const found = this.find(path);
    if (found !== undefined) return { znode: found, missing: [] };
    let znode = this.root;
    const names = path.slice(1).split("/");
    for (let depth = 0; ; depth++) {
      const child = znode.child(names[depth]!);
      if (child === undefined) return { znode, missing: names.slice(depth) };
      znode = child;
    }
  }

  /** True if every member that was ever seen reads this format of entries and snapshots, as far as the table says. */
  isReadBy(format: number): boolean {
    return this.ensemble.members.every(({ directory, reads = 2 }) => directory === null || reads >= format);
  }

  /** Replaces the first state by the root of a snapshot. */
  plant(root: Znode): void {
    this.root = root;
    this.quotas.forget();
    this.restricted = 0;
    this.#rules = null;
    this.acls = new AclTable();
    this.creators = new Creators();
    this.reapable.clear();
    this.#count(root, 1);
  }

  /** Puts a znode under its parent without any trace on stats: for the first state and for snapshots. */
  place(znode: Znode): void {
    const parent = znode.parent!;
    const { children } = parent.becomeParent();
    children.insert(znode.name, znode);
    countAbove(znode, 1);
    this.#count(znode, 1);
    if (znode.name === rulesName && parent.parent === this.root) this.#noteRules(parent.name, znode.value);
  }

  /** Adds a new znode under its parent and counts it there. */
  attach(znode: Znode, path: string, zxid: number): void {
    const parent = znode.parent!;
    this.#keep(path, null);
    this.#touchChildren(parent, path, zxid, 1);
    const parentState = parent.becomeParent();
    parentState.creations++;
    this.#journal?.push(() => parentState.creations--);
    this.#link(znode, path);
    this.#journal?.push(() => this.#unlink(znode, path));
    this.#noteQuota(path, znode.value);
  }

  /** The rules are what the data of their znode says. */
  #noteRules(parent: string, value: Value | null): void {
    if (parent !== reservedName) return;
    const document = documentOf(value);
    this.#rules = document === null || typeof document === "string" ? null : new Rules(document);
  }

  /** Removes a znode that has no children. */
  detach(znode: Znode, path: string, zxid: number): void {
    this.#keep(path, znode);
    this.#touchChildren(znode.parent!, path, zxid, -1);
    this.#unlink(znode, path);
    this.#journal?.push(() => this.#link(znode, path));
    this.#noteQuota(path, null);
  }

  setValue(znode: Znode, path: string, value: Value | null, zxid: number): void {
    this.#keep(path, znode);
    if (this.#journal !== null) this.#journal.push(undoOfValue(znode));
    addBytes(znode, (value?.bytes ?? 0) - (znode.value?.bytes ?? 0));
    znode.value = value;
    znode.mzxid = zxid;
    znode.mtime = this.time;
    znode.version = nextVersion(znode.version);
    this.#noteQuota(path, value);
    if (path === rulesPath) this.#noteRules(reservedName, value);
  }

  setAcl(znode: Znode, path: string, acl: Acl): void {
    this.#keep(path, znode);
    const { acl: old, aversion } = znode;
    this.#journal?.push(() => {
      this.#countAcl(znode, -1);
      Object.assign(znode, { acl: old, aversion });
      this.#countAcl(znode, 1);
    });
    this.#countAcl(znode, -1);
    znode.acl = acl;
    this.#countAcl(znode, 1);
    znode.aversion = nextVersion(aversion);
  }

  /** Runs `work`; if it gives false, all that it changed is undone. */
  atomically(work: () => boolean): void {
    const journal: (() => void)[] = [];
    this.#journal = journal;
    const isDone = work();
    this.#journal = null;
    if (!isDone) for (const undo of journal.reverse()) undo();
  }

  /**
   * Opens a reader of the state as it is now (reader.ts). The caller closes it.
   * @param levels how deep below `path`: 0 for the znode alone, 1 with its children, Infinity for all
   * @param asideMax znodes it may put aside before it is overrun
   */
  read(path: string, levels: number, asideMax: number): TreeReader {
    let view = [...this.#views].find((one) => {
      const isSame = one.zxid === this.zxid && one.path === path && one.levels === levels && one.asideMax === asideMax;
      return isSame && !one.isOverrun;
    });
    if (view === undefined) {
      view = new TreeView(this, path, levels, asideMax, asideMax === Number.POSITIVE_INFINITY ? null : this.#asides);
      this.#views.add(view);
    }
    const opened = view;
    const views = this.#views;
    return new TreeReader(opened, () => views.delete(opened));
  }

  /** Parts and states that are being read. */
  get views(): number {
    return this.#views.size;
  }

  /** Bytes that readers with a bound have put aside. */
  get asideBytes(): number {
    return this.#asides.bytes;
  }

  /** Opens a point-in-time reader of the sessions; `keep` is called before one of them changes or goes. */
  watchSessions(keep: (session: Session) => void): () => void {
    this.#sessionReaders.add(keep);
    return () => this.#sessionReaders.delete(keep);
  }

  /** A session begins, or comes from a snapshot. */
  addSession(session: Session): void {
    this.sessions.set(session.id, session);
    this.#countSubject(session.subject, 1);
  }

  deleteSession(session: Session): void {
    this.keepSession(session);
    this.sessions.delete(session.id);
    this.#countSubject(session.subject, -1);
  }

  /** A session has proved this from now on. */
  identify(session: Session, held: Identities, zxid: number): void {
    const { subject } = session;
    session.identify(held, zxid);
    if (session.subject !== subject) this.#countSubject(session.subject, 1);
  }

  /** Sessions of a token subject. */
  sessionsOf(subject: string): number {
    return this.#subjects.get(subject) ?? 0;
  }

  #countSubject(subject: string | null, step: 1 | -1): void {
    if (subject === null) return;
    const count = this.sessionsOf(subject) + step;
    if (count === 0) this.#subjects.delete(subject);
    else this.#subjects.set(subject, count);
  }

  /** To be called before a session changes. */
  keepSession(session: Session): void {
    for (const keep of this.#sessionReaders) keep(session);
  }

  /** A quota was set, or went. */
  #noteQuota(path: string, value: Value | null): void {
    if (!isWithin(path, quotaRoot)) return;
    const undo = this.quotas.note(path, value);
    this.#journal?.push(undo);
  }

  #keep(path: string, znode: Znode | null): void {
    if (this.#views.size === 0) return;
    const copy = copier(znode);
    for (const view of this.#views) view.keep(path, copy);
  }

  #touchChildren(parent: Znode, childPath: string, zxid: number, step: 1 | -1): void {
    this.#keep(parentOf(childPath), parent);
    const parentState = parent.becomeParent();
    const { pzxid, cversion } = parentState;
    this.#journal?.push(() => Object.assign(parentState, { pzxid, cversion, size: parentState.size - step }));
    parentState.pzxid = zxid;
    parentState.cversion = nextVersion(cversion);
    parentState.size += step;
  }

  #link(znode: Znode, path: string): void {
    this.place(znode);
    const { owner } = znode.kind;
    if (owner !== null) this.sessions.get(owner)?.ephemerals.insert(path, path);
  }

  #unlink(znode: Znode, path: string): void {
    znode.parent!.parentState!.children.delete(nameOf(path));
    countAbove(znode, -1);
    this.#count(znode, -1);
    if (path === rulesPath) this.#noteRules(reservedName, null);
    const { owner } = znode.kind;
    if (owner !== null) this.sessions.get(owner)?.ephemerals.delete(path);
  }

  #count(znode: Znode, step: 1 | -1): void {
    this.#countAcl(znode, step);
    const { creator, value, kind } = znode;
    if (creator !== null) this.creators.count(creator, step, value?.bytes ?? 0, kind.owner !== null);
    if (!znode.kind.isContainer && znode.kind.ttl === 0) return;
    if (step > 0) this.reapable.add(znode);
    else this.reapable.delete(znode);
  }

  #countAcl({ acl }: Znode, step: 1 | -1): void {
    if (acl === open) return;
    this.acls.count(acl, step);
    if ((acl.world & 1) === 0) this.restricted += step;
  }
}

/** Gives what restores the present value. A separate function, because a closure at the place of use would be allocated on every call. */
function undoOfValue(znode: Znode): () => void {
  const { value, mzxid, mtime, version } = znode;
  return () => {
    addBytes(znode, (value?.bytes ?? 0) - (znode.value?.bytes ?? 0));
    Object.assign(znode, { value, mzxid, mtime, version });
  };
}

/** A znode has come to stand below its ancestors, or stands there no more. */
function countAbove(znode: Znode, step: 1 | -1): void {
  const bytes = step * znode.subtreeBytes;
  for (let above = znode.parent; above !== null; above = above.parent) {
    const parentState = above.becomeParent();
    parentState.descendants += step;
    parentState.bytes += bytes;
  }
}

/** The data of a znode grows by so many bytes: its ancestors count them. */
function addBytes(znode: Znode, bytes: number): void {
  if (znode.creator !== null) znode.creator.bytes += bytes;
  for (let above = znode.parent; bytes !== 0 && above !== null; above = above.parent) above.becomeParent().bytes += bytes;
}

function bareZnode(name: string, parent: Znode | null): Znode {
  const znode = new Znode({ name, parent, value: null, acl: open, zxid: 0, time: 0, kind: persistent, creator: null });
  if (parent !== null) parent.becomeParent().size++;
  return znode;
}

/** One more, as a 32-bit integer that skips -1 (ZooKeeper's rule: -1 means any). */
export function nextVersion(version: number): number {
  const next = version === versionMax ? -versionMax - 1 : version + 1;
  return next === -1 ? 0 : next;
}
