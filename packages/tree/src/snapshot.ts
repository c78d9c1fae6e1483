/**
 * The state as text, in pieces, and back.
 *
 * A snapshot is lines of JSON: a head, then the sessions, then the znodes, parents first. The writer sees the state at
 * the moment it was opened, however long the pieces take (reader.ts). The reader takes lines and gives a tree; a
 * line it can't read means another format or a damaged file, and throws.
 */
import { type AclItem, type Identity, keptReply, madeValue, quotaRoot } from "@copse/protocol";
import { type Acl, open } from "./access/acl.ts";
import { Identities, type Proof } from "./access/identities.ts";
import type { KeptRevocation } from "./access/revocations.ts";
import type { Creator } from "./creators.ts";
import { type EnsembleTable, noEnsemble } from "./ensemble.ts";
import type { TreeReader } from "./reader.ts";
import { type KeptReply, Session } from "./session-table.ts";
import { Tree, type TreeLimits } from "./tree.ts";
import { kindOf, Znode } from "./znode.ts";

/** Formats of snapshots, oldest and newest: one says the oldest that its readers have to know. 2: with quotas. 3: each ACL once. 4: with
 * identities that end, revocations and rules. 5: with prints of large values. */
const snapshotFormats = [1, 5] as const;

/** The format of a snapshot of this state: the newest that all members read. */
export function snapshotFormatOf(tree: Tree): number {
  if (hasLargePrints(tree)) return 5;
  if (tree.ensemble.members.length > 0 && tree.isReadBy(5)) return 4;
  if (tree.acls.hasDefaults || (tree.ensemble.members.length > 0 && tree.isReadBy(3))) return 3;
  return tree.find(quotaRoot) === undefined ? 1 : 2;
}

function hasLargePrints(tree: Tree): boolean {
  for (const { replies } of tree.sessions.values()) if (replies.some(({ print }) => print < 0)) return true;
  return false;
}

interface Head {
  readonly format: number;
  readonly zxid: number;
  readonly index: number;
  readonly time: number;
  readonly limits: TreeLimits;
  /** Absent in the first files of format 1. */
  readonly ensemble?: EnsembleTable;
  readonly revocations?: readonly KeptRevocation[];
}

export class SnapshotWriter {
  readonly #head: string;
  readonly #reader: TreeReader;
  readonly #sessions: Session[];
  readonly #aside: Map<string, string> = new Map();
  readonly #stopWatching: () => void;
  readonly #acls: AclLines;
  /** Creators that were written, by number: each once, before the first znode that is theirs. */
  readonly #creators: Map<Creator, number> = new Map();
  #isHeadWritten = false;

  /** @param asideMax znodes that may change ahead of the writer before it has to be given up */
  constructor(tree: Tree, asideMax: number = Number.POSITIVE_INFINITY) {
    const { zxid, index, time, limits, ensemble } = tree;
    const revocations = tree.revocations.all();
    const common = { format: snapshotFormatOf(tree), zxid, index, time, limits, ensemble };
    const head: Head = revocations.length === 0 ? common : { ...common, revocations };
    this.#acls = new AclLines(head.format);
    this.#head = JSON.stringify(head);
    this.#reader = tree.read("/", Number.POSITIVE_INFINITY, asideMax);
    this.#sessions = [...tree.sessions.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    const ahead = new Set(this.#sessions.map(({ id }) => id));
    this.#stopWatching = tree.watchSessions((session) => {
      if (ahead.has(session.id) && !this.#aside.has(session.id)) this.#aside.set(session.id, encodeSession(session));
    });
  }

  /** The next lines, about `unitsMax` UTF-16 units of them, or null after the last. */
  piece(unitsMax: number): string | null {
    const lines: string[] = [];
    let units = 0;
    const add = (line: string): void => {
      lines.push(line);
      units += line.length;
    };
    if (!this.#isHeadWritten) {
      this.#isHeadWritten = true;
      add(this.#head);
    }
    while (units < unitsMax && this.#sessions.length > 0) {
      const session = this.#sessions.pop()!;
      add(this.#aside.get(session.id) ?? encodeSession(session));
      this.#aside.delete(session.id);
    }
    if (units < unitsMax) {
      for (const { path, znode } of this.#reader.rest()) {
        const acl = this.#acls.refer(znode.acl, add);
        add(encodeZnode(path, znode, acl, this.#creatorOf(znode, add)));
        if (units >= unitsMax) break;
      }
    }
    return lines.length === 0 ? null : lines.join("\n");
  }

  #creatorOf({ creator }: Znode, add: (line: string) => void): number {
    if (creator === null) return 0;
    const known = this.#creators.get(creator);
    if (known !== undefined) return known;
    const number = this.#creators.size + 1;
    this.#creators.set(creator, number);
    add(JSON.stringify({ creator: number, key: creator.key }));
    return number;
  }

  close(): void {
    this.#stopWatching();
    this.#reader.close();
  }
}

function encodeSession(session: Session): string {
  const { id, secretHash, timeoutMs, generation, held, identitiesZxid, connection, lastId, subject, isRevoked } = session;
  const proved = {
    ...(held.proofs.length === 0 ? {} : { proofs: held.proofs }),
    ...(subject === null ? {} : { subject }),
    ...(isRevoked ? { isRevoked } : {}),
  };
  const identities = held.plain;
  const replies: HeldReply[] = session.replies.map(({ reply, ...rest }) => ({ ...rest, body: reply.text }));
  return JSON.stringify({
    session: id,
    secretHash,
    timeoutMs,
    generation,
    identities,
    ...proved,
    identitiesZxid,
    connection,
    lastId,
    replies,
  });
}

/**
 * Writes each ACL once, before what refers to it by its number; 0 is the open one. In formats older than 3 an ACL stands where it
 * belongs, as its items.
 */
export class AclLines {
  readonly #isShared: boolean;
  readonly #numbers: Map<Acl, number> = new Map();

  constructor(format: number) {
    this.#isShared = format >= 3;
  }

  /** What stands for the ACL; its line, where it is met for the first time, goes to `add`. */
  refer(acl: Acl, add: (line: string) => void): string | number {
    if (acl === open) return 0;
    if (!this.#isShared) return JSON.stringify(acl.items);
    const known = this.#numbers.get(acl);
    if (known !== undefined) return known;
    const number = this.#numbers.size + 1;
    this.#numbers.set(acl, number);
    add(JSON.stringify({ acl: number, items: acl.items, ...(acl.defaultItems === null ? {} : { default: acl.defaultItems }) }));
    return number;
  }
}

/** An ACL's line, as `AclLines` writes it. */
export interface AclLine {
  readonly acl: number;
  readonly items: readonly AclItem[];
  readonly default?: readonly AclItem[];
}

/** @param creator the number of its creator, 0 for none */
function encodeZnode(path: string, znode: Znode, aclText: string | number, creator: number): string {
  const { value, czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, creations } = znode;
  const { owner, ttl, isContainer } = znode.kind;
  const counts = `${czxid},${mzxid},${pzxid},${ctime},${mtime},${version},${cversion},${aversion},${creations}`;
  const kept = value === null ? "null" : `${value.json},${value.bytes},${value.isBase64 ? 1 : 0}`;
  const rest = `${owner === null ? 0 : `"${owner}"`},${ttl},${isContainer ? 1 : 0},${aclText}`;
  const isBase64 = value === null && creator > 0 ? ",0,0" : "";
  return `[${JSON.stringify(path)},${counts},${rest},${kept}${creator === 0 ? "" : `${isBase64},${creator}`}]`;
}

type Line = [
  path: string,
  czxid: number,
  mzxid: number,
  pzxid: number,
  ctime: number,
  mtime: number,
  version: number,
  cversion: number,
  aversion: number,
  creations: number,
  owner: string | 0,
  ttl: number,
  isContainer: 0 | 1,
  /** 0 for the open one; the number of a line before; in formats older than 3 the items. */
  acl: AclItem[] | number,
  text: string | null,
  bytes: number,
  isBase64: 0 | 1,
  /** The number of a line before; absent for none. Since format 4. */
  creator?: number,
];

export class SnapshotLoader {
  readonly #tree: Tree = new Tree();
  readonly #acls: Acl[] = [];
  readonly #creators: Creator[] = [];
  #isHeadRead = false;
  /** The znodes from the root to the last one read, with their paths. */
  #spine: { readonly path: string; readonly znode: Znode }[] = [];

  /** Takes the next piece as `SnapshotWriter.piece` gave it. */
  take(piece: string): void {
    for (const line of piece.split("\n")) {
      const parsed = JSON.parse(line) as unknown;
      if (!this.#isHeadRead) this.#takeHead(parsed as Head);
      else if (Array.isArray(parsed)) this.#takeZnode(parsed as Line);
      else if ("acl" in (parsed as object)) this.#takeAcl(parsed as AclLine);
      else if ("creator" in (parsed as object)) this.#takeCreator(parsed as { creator: number; key: string });
      else this.#takeSession(parsed as HeldSession);
    }
  }

  /** The tree, once all pieces are taken. */
  finish(): Tree {
    if (this.#spine.length === 0) throw new Error("a snapshot holds no root");
    return this.#tree;
  }

  #takeHead(head: Head): void {
    const [oldest, newest] = snapshotFormats;
    if (head.format < oldest || head.format > newest) {
      throw new Error(`a snapshot has format ${head.format}; this build reads formats ${oldest} to ${newest}`);
    }
    this.#isHeadRead = true;
    this.#tree.zxid = head.zxid;
    this.#tree.index = head.index;
    this.#tree.time = head.time;
    this.#tree.limits = head.limits;
    this.#tree.ensemble = head.ensemble ?? noEnsemble;
    for (const revocation of head.revocations ?? []) this.#tree.revocations.add(revocation);
  }

  #takeAcl({ acl, items, default: defaultItems }: AclLine): void {
    this.#acls[acl] = this.#tree.acls.of(items, defaultItems ?? null);
  }

  #takeCreator({ creator, key }: { creator: number; key: string }): void {
    this.#creators[creator] = this.#tree.creators.of(key);
  }

  #aclOf(held: AclItem[] | number): Acl {
    if (held === 0) return open;
    if (typeof held !== "number") return this.#tree.acls.of(held, null);
    const acl = this.#acls[held];
    if (acl === undefined) throw new Error("a snapshot holds a znode before its ACL");
    return acl;
  }

  #takeSession(held: HeldSession): void {
    const proved = new Identities(held.identities, held.proofs);
    const session = new Session({ ...held, id: held.session, held: proved, connection: held.connection ?? "" });
    session.restore({ ...held, replies: held.replies.map(({ body, ...rest }) => ({ ...rest, reply: keptReply(body) })) });
    this.#tree.addSession(session);
  }

  /** Runs once for each znode of a large tree at start: it allocates nothing that does not stay. */
  #takeZnode(line: Line): void {
    const path = line[0];
    const text = line[14];
    while (this.#spine.length > 0 && !isParent(this.#spine[this.#spine.length - 1]!.path, path)) this.#spine.pop();
    const parent = this.#spine[this.#spine.length - 1]?.znode ?? null;
    if (parent === null && path !== "/") throw new Error("a snapshot holds a znode before its parent");
    const znode = new Znode({
      name: path.slice(path.lastIndexOf("/") + 1),
      parent,
      value: text === null ? null : madeValue(text, line[15], line[16] === 1),
      acl: this.#aclOf(line[13]),
      zxid: line[1],
      time: line[4],
      kind: kindOf(line[10] === 0 ? null : line[10], line[11], line[12] === 1),
      creator: line[17] === undefined ? null : (this.#creators[line[17]] ?? null),
    });
    znode.mzxid = line[2];
    znode.mtime = line[5];
    znode.version = line[6];
    znode.aversion = line[8];
    // That a znode has children is seen when they come; that it had some follows from what they have left.
    if (line[3] !== line[1] || line[7] !== 0 || line[9] !== 0) {
      const parentState = znode.becomeParent();
      parentState.pzxid = line[3];
      parentState.cversion = line[7];
      parentState.creations = line[9];
    }
    if (parent === null) this.#tree.plant(znode);
    else {
      parent.becomeParent().size++;
      this.#tree.place(znode);
      const { owner } = znode.kind;
      if (owner !== null) this.#tree.sessions.get(owner)?.ephemerals.insert(path, path);
    }
    this.#spine.push({ path, znode });
  }
}

interface HeldSession {
  readonly session: string;
  readonly secretHash: string;
  readonly timeoutMs: number;
  readonly generation: number;
  readonly identities: readonly Identity[];
  readonly proofs?: readonly Proof[];
  readonly subject?: string;
  readonly isRevoked?: boolean;
  readonly identitiesZxid: number;
  readonly connection?: string;
  readonly lastId: number;
  readonly replies: readonly HeldReply[];
}

type HeldReply = Omit<KeptReply, "reply"> & { readonly body: string };

function isParent(parent: string, path: string): boolean {
  return path.lastIndexOf("/") === (parent === "/" ? 0 : parent.length) && path.startsWith(parent) && path !== parent;
}
