/**
 * (state, txn, time) → (result, changes): the state machine.
 *
 * Deterministic and total: the same txns in the same order give the same state and the same results on every member,
 * and a txn that fails has the same error everywhere. A txn that succeeds takes the next zxid; one that fails, is
 * repeated, or is fenced takes none.
 */
import {
  type ErrorCode,
  type Identity,
  isRefusal,
  madeValue,
  type Refusal,
  refuse,
  type StepTime,
  type Write,
  type WriteReply,
  type WriteResult,
  writeDone,
  writeRefused,
} from "@copse/protocol";
import { type Caller, mayDo } from "./access/acl.ts";
import { isAdmin } from "./access/admin.ts";
import { joined, renewed } from "./access/identities.ts";
import { configPath } from "./ensemble.ts";
import type { Change } from "./operations/change.ts";
import { operateAll } from "./operations/multi.ts";
import { operate, removeEphemerals, Work } from "./operations/operation.ts";
import { reconfigure, showConfig } from "./operations/reconfigure.ts";
import { Session } from "./session-table.ts";
import type { Tree } from "./tree.ts";
import type { ConfigureTxn, EndTxn, ExpireTxn, OpenTxn, ReapTxn, Txn, WriteTxn } from "./txn.ts";
import type { Znode } from "./znode.ts";

export interface Applied {
  /** done: took a zxid. refused: failed, and every member agrees why. repeated: the first reply again. overtaken: its predecessor is missing, nothing happened. */
  readonly outcome: "done" | "refused" | "repeated" | "overtaken";
  readonly code: ErrorCode | null;
  /** The state's zxid after it. */
  readonly zxid: number;
  /** Null where it was overtaken: it is proposed again. */
  readonly reply: WriteReply | null;
  readonly changes: readonly Change[];
}

/**
 * Applies one txn.
 * @param time the entry's stamp, in milliseconds since the epoch; the state's time never goes back
 * @param term the entry's term
 */
export function apply(tree: Tree, txn: Txn, time: number, term: number): Applied {
  tree.time = Math.max(tree.time, time);
  switch (txn.kind) {
    case "write":
      return applyWrite(tree, txn);
    case "open":
      return openSession(tree, txn);
    case "move":
      return moveSession(tree, txn);
    case "close":
      return endSession(tree, txn);
    case "expire":
      return expire(tree, txn, term);
    case "reap":
      return reap(tree, txn);
    case "configure":
      return configure(tree, txn);
  }
}

const none: readonly never[] = [];

function done(work: Work, result: WriteResult): Applied {
  const changes = work.finish();
  work.tree.zxid = work.zxid;
  return { outcome: "done", code: null, zxid: work.zxid, reply: writeDone(work.zxid, result), changes };
}

function refused(tree: Tree, refusal: Refusal): Applied {
  return { outcome: "refused", code: refusal.code, zxid: tree.zxid, reply: writeRefused(tree.zxid, refusal), changes: none };
}

function expired(tree: Tree): Applied {
  return refused(tree, refuse("SESSION_EXPIRED", "the session is expired or unknown"));
}

function applyWrite(tree: Tree, txn: WriteTxn): Applied {
  const session = tree.sessions.get(txn.session);
  if (session === undefined) return expired(tree);
  if (session.generation !== txn.generation) return refused(tree, refuse("SESSION_MOVED", "the session has a newer connection"));
  const kept = session.reply(txn.id);
  if (kept !== undefined) {
    if (kept.print !== txn.print) return refused(tree, refuse("BAD_ARGUMENTS", "the id belongs to another request"));
    return { outcome: "repeated", code: null, zxid: tree.zxid, reply: kept.reply, changes: none };
  }
  if (txn.id <= session.lastId) {
    return refused(tree, refuse("OUTCOME_UNKNOWN", "the reply to this id is no longer kept; the request is not executed"));
  }
  if (txn.after !== session.lastId) return { outcome: "overtaken", code: null, zxid: tree.zxid, reply: null, changes: none };
  tree.keepSession(session);
  session.acknowledge(txn.ack);
  const applied = execute(tree, txn, session);
  session.remember({ id: txn.id, print: txn.print, reply: applied.reply! });
  return applied;
}

function execute(tree: Tree, txn: WriteTxn, session: Session): Applied {
  const { write } = txn;
  const caller: Caller = { identities: session.identities, address: txn.address };
  for (const guard of txn.guards) {
    const znode = tree.find(guard.path);
    if (znode !== undefined && !mayDo(znode.acl, "read", caller)) {
      return refused(tree, refuse("NO_AUTH", "a guard needs the permission to read", guard.path));
    }
    if (znode?.czxid !== guard.czxid) return refused(tree, refuse("GUARD_FAILED", "the guarding znode is gone", guard.path));
  }
  const work = new Work(tree, txn.format);
  if (write.op === "auth") {
    const identities = identified(tree, session.identities, write.identities, txn.format);
    if (identities === null) return refused(tree, tooManyIdentities(tree));
    session.identify(identities, work.zxid);
    return done(work, {});
  }
  const result = change(work, txn, write, caller, session.id);
  return isRefusal(result) ? refused(tree, result) : done(work, result);
}

function change(work: Work, txn: WriteTxn, write: Write, caller: Caller, session: string): WriteResult | Refusal {
  if (write.op === "multi") return operateAll(work, write, caller, session);
  if (write.op === "reconfig") return reconfigure(work, write, caller, txn.isWorldAdmin === true);
  if (write.op === "stepTime") return stepTime(work, write, caller, txn.isWorldAdmin === true);
  return operate(work, write, caller, session);
}

/** Moves the state's time ahead; where it is ahead already, it stays, as it never goes back. */
function stepTime({ tree }: Work, { time }: StepTime, caller: Caller, isWorldAdmin: boolean): WriteResult | Refusal {
  if (!isAdmin(tree, caller, isWorldAdmin)) return refuse("NO_AUTH", "needs the permission to administer the root", "/");
  tree.time = Math.max(tree.time, time);
  return { time: tree.time };
}

/** The identities of a session that has proved some, or null where they would be too many. */
function identified(tree: Tree, held: readonly Identity[], proved: readonly Identity[], format = 1): readonly Identity[] | null {
  if (format < 3) return joined(held, proved);
  const identities = renewed(held, proved);
  return identities.length > Math.max(held.length, identitiesMaxOf(tree)) ? null : identities;
}

function identitiesMaxOf({ limits }: Tree): number {
  return limits.identities ?? identitiesMaxDefault;
}

/** Where the table was last written by a build that has no such limit. */
const identitiesMaxDefault = 64;

function tooManyIdentities(tree: Tree): Refusal {
  return refuse("QUOTA_EXCEEDED", `a session has at most ${identitiesMaxOf(tree)} identities`);
}

/** The same txn again, proposed anew because its first copy seemed lost. */
function repeated(tree: Tree): Applied {
  return { outcome: "repeated", code: null, zxid: tree.zxid, reply: writeDone(tree.zxid, {}), changes: none };
}

function openSession(tree: Tree, txn: OpenTxn): Applied {
  const { session: id, secretHash, timeoutMs, identities, connection } = txn;
  const known = tree.sessions.get(id);
  if (known !== undefined) return known.connection === connection ? repeated(tree) : expired(tree);
  const held = identified(tree, none, identities, txn.format);
  if (held === null) return refused(tree, tooManyIdentities(tree));
  const work = new Work(tree);
  const born = { id, secretHash, timeoutMs, identities: txn.format === undefined ? identities : held };
  tree.sessions.set(id, new Session({ ...born, identitiesZxid: work.zxid, connection }));
  return done(work, {});
}

/** Resumes a session on another connection, which fences the one before. */
function moveSession(tree: Tree, txn: OpenTxn): Applied {
  const session = tree.sessions.get(txn.session);
  if (session === undefined || session.secretHash !== txn.secretHash) return expired(tree);
  if (txn.connection !== "" && session.connection === txn.connection) return repeated(tree);
  const identities = identified(tree, session.identities, txn.identities, txn.format);
  if (identities === null) return refused(tree, tooManyIdentities(tree));
  const work = new Work(tree);
  tree.keepSession(session);
  session.generation++;
  session.connection = txn.connection;
  session.timeoutMs = txn.timeoutMs;
  session.identify(identities, work.zxid);
  return done(work, {});
}

function endSession(tree: Tree, txn: EndTxn | ExpireTxn): Applied {
  const session = tree.sessions.get(txn.session);
  if (session === undefined) return expired(tree);
  if (session.generation !== txn.generation) return refused(tree, refuse("SESSION_MOVED", "the session has a newer connection"));
  tree.keepSession(session);
  const work = new Work(tree);
  removeEphemerals(work, session.ephemerals.after(null));
  tree.sessions.delete(session.id);
  return done(work, {});
}

/** Expiry is decided by one coordinator, in its term, on what it has seen: a write that came between shows that the client lives. */
function expire(tree: Tree, txn: ExpireTxn, term: number): Applied {
  const session = tree.sessions.get(txn.session);
  const isDated = txn.term !== undefined;
  const isOutdated = isDated && session !== undefined && (session.lastId !== txn.lastId || term !== txn.term);
  return isOutdated
    ? refused(tree, refuse("SESSION_MOVED", "the session has been active since the expiry was decided"))
    : endSession(tree, txn);
}

/** How long a container that never had a child is left alone, in milliseconds. */
export const unusedContainerMs = 300_000;

/** True if a childless container or TTL znode is due for removal at `time`. */
export function isReapable(znode: Pick<Znode, "numChildren" | "creations" | "kind" | "ctime" | "mtime">, time: number): boolean {
  if (znode.numChildren > 0) return false;
  const { isContainer, ttl } = znode.kind;
  if (isContainer) return znode.creations > 0 || time - znode.ctime > unusedContainerMs;
  return ttl > 0 && time - znode.mtime > ttl;
}

function reap(tree: Tree, txn: ReapTxn): Applied {
  const znode = tree.find(txn.path);
  if (znode?.czxid !== txn.czxid || !isReapable(znode, tree.time)) {
    return refused(tree, refuse("NO_NODE", "there is nothing to reap", txn.path));
  }
  const work = new Work(tree);
  work.remove(txn.path, znode);
  return done(work, {});
}

function configure(tree: Tree, txn: ConfigureTxn): Applied {
  if (txn.config !== undefined) return configureAlone(tree, txn.config, txn.limits);
  const { table, limits } = txn;
  const isSame = JSON.stringify([table, limits]) === JSON.stringify([tree.ensemble, tree.limits]);
  if (isSame || table.version !== Math.max(1, tree.ensemble.version))
    return refused(tree, refuse("BAD_VERSION", "the configuration has changed"));
  const work = new Work(tree);
  // Whoever founds a cluster says to whom its root belongs.
  if (txn.rootAcl !== undefined && tree.ensemble.version === 0) work.setAcl("/", tree.root, tree.acls.of(txn.rootAcl, null));
  tree.limits = limits;
  tree.ensemble = table;
  showConfig(work);
  return done(work, {});
}

/** Format 1 before 0.2, written by a single member that knew of no ensemble: old logs hold it. */
function configureAlone(tree: Tree, config: string, limits: ConfigureTxn["limits"]): Applied {
  const work = new Work(tree);
  tree.limits = limits;
  work.setValue(configPath, tree.find(configPath)!, madeValue(config, config.length, false));
  return done(work, {});
}
