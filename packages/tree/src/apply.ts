/**
 * (state, txn, time) → (result, changes): the state machine.
 *
 * Deterministic and total: the same txns in the same order give the same state and the same results on every member,
 * and a txn that fails has the same error everywhere. A txn that succeeds takes the next zxid; one that fails, is
 * repeated, or is fenced takes none.
 */
import {
  type ErrorCode,
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
import { Identities, noIdentities } from "./access/identities.ts";
import { isAdmin, isShown } from "./access/permission.ts";
import { configPath } from "./ensemble.ts";
import { isSameRequest } from "./large-value.ts";
import type { Change } from "./operations/change.ts";
import { operateAll } from "./operations/multi.ts";
import { operate, Work } from "./operations/operation.ts";
import { reconfigure, showConfig } from "./operations/reconfigure.ts";
import { authenticate, endAnySession, identified, logOut, removeSession, revoke } from "./operations/write-identities.ts";
import { isRulesWrite, writeRules } from "./operations/write-rules.ts";
import { Session } from "./session-table.ts";
import type { Tree } from "./tree.ts";
import type { ConfigureTxn, EndTxn, EvictTxn, ExpireTxn, LapseTxn, OpenTxn, ReapTxn, Txn, WriteTxn } from "./txn.ts";
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
      return applyWrite(tree, txn, time);
    case "open":
      return openSession(tree, txn, time);
    case "move":
      return moveSession(tree, txn, time);
    case "close":
      return endSession(tree, txn);
    case "expire":
      return expire(tree, txn, term);
    case "lapse":
      return lapse(tree, txn, time);
    case "evict":
      return evict(tree, txn);
    case "reap":
      return reap(tree, txn);
    case "configure":
      return configure(tree, txn);
    case "hash":
      return repeated(tree);
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

/** When a txn counts as taken: an identity that has ended by then grants nothing. Never the state's time, which steps ahead. */
function judgedAt(txn: { readonly wall?: number }, stamp: number): number {
  return Math.max(txn.wall ?? 0, stamp);
}

function applyWrite(tree: Tree, txn: WriteTxn, time: number): Applied {
  const session = tree.sessions.get(txn.session);
  if (session === undefined || session.isRevoked) return expired(tree);
  if (session.generation !== txn.generation) return refused(tree, refuse("SESSION_MOVED", "the session has a newer connection"));
  const kept = session.reply(txn.id);
  if (kept !== undefined) {
    if (!isSameRequest(kept.print, txn)) return refused(tree, refuse("BAD_ARGUMENTS", "the id belongs to another request"));
    return { outcome: "repeated", code: null, zxid: tree.zxid, reply: kept.reply, changes: none };
  }
  if (txn.id <= session.lastId) {
    return refused(tree, refuse("OUTCOME_UNKNOWN", "the reply to this id is no longer kept; the request is not executed"));
  }
  if (txn.after !== session.lastId) return { outcome: "overtaken", code: null, zxid: tree.zxid, reply: null, changes: none };
  tree.keepSession(session);
  session.acknowledge(txn.ack);
  const applied = execute(tree, txn, session, judgedAt(txn, time));
  session.remember({ id: txn.id, print: txn.print, reply: applied.reply! });
  return applied;
}

function execute(tree: Tree, txn: WriteTxn, session: Session, at: number): Applied {
  const { write } = txn;
  const caller: Caller = { identities: identitiesIn(txn, session, at), address: txn.address };
  for (const guard of txn.guards) {
    const znode = tree.find(guard.path);
    const isHidden = !isShown(tree, guard.path, caller, txn.isWorldAdmin === true);
    if (isHidden || (znode !== undefined && !mayDo(znode.acl, "read", caller))) {
      return refused(tree, refuse("NO_AUTH", "a guard needs the permission to read", guard.path));
    }
    if (znode?.czxid !== guard.czxid) return refused(tree, refuse("GUARD_FAILED", "the guarding znode is gone", guard.path));
  }
  const work = new Work(tree, txn.format, txn.budget ?? null, txn.isWorldAdmin);
  const result = write.op === "auth" ? authenticate(work, write, session, at) : change(work, txn, write, caller, session, at);
  return isRefusal(result) ? refused(tree, result) : done(work, result);
}

/** Who writes: what the session has proved, and its connection's certificate, as far as neither has ended. */
function identitiesIn({ certificate }: WriteTxn, session: Session, at: number): Caller["identities"] {
  const held = session.held.at(at);
  return certificate === undefined ? held.all : held.renewedBy([], [certificate]).at(at).all;
}

function change(work: Work, txn: WriteTxn, write: Write, caller: Caller, session: Session, at: number): WriteResult | Refusal {
  const isWorldAdmin = txn.isWorldAdmin === true;
  switch (write.op) {
    case "multi":
      return operateAll(work, write, caller, session.id);
    case "reconfig":
      return reconfigure(work, write, caller, isWorldAdmin);
    case "stepTime":
      return stepTime(work, write, caller, isWorldAdmin);
    case "logout":
      return logOut(work, session);
    case "revoke":
      return revoke(work, write, caller, txn, at);
    case "endSession":
      return endAnySession(work, write, caller, isWorldAdmin);
    default:
      return work.format >= 5 && isRulesWrite(write)
        ? writeRules(work, write, caller, isWorldAdmin)
        : operate(work, write, caller, session.id);
  }
}

/** Moves the state's time ahead; where it is ahead already, it stays, as it never goes back. */
function stepTime({ tree }: Work, { time }: StepTime, caller: Caller, isWorldAdmin: boolean): WriteResult | Refusal {
  if (!isAdmin(tree, caller, isWorldAdmin)) return refuse("NO_AUTH", "needs the permission to administer the root", "/");
  tree.time = Math.max(tree.time, time);
  return { time: tree.time };
}

/** The same txn again, proposed anew because its first copy seemed lost. */
function repeated(tree: Tree): Applied {
  return { outcome: "repeated", code: null, zxid: tree.zxid, reply: writeDone(tree.zxid, {}), changes: none };
}

function openSession(tree: Tree, txn: OpenTxn, time: number): Applied {
  const { session: id, secretHash, timeoutMs, identities, connection, format = 1 } = txn;
  const known = tree.sessions.get(id);
  if (known !== undefined) return known.connection === connection ? repeated(tree) : expired(tree);
  const nothing = { held: noIdentities, subject: null };
  const held = format < 3 ? new Identities(identities) : identified(tree, nothing, txn, format, judgedAt(txn, time));
  if ("code" in held) return refused(tree, held);
  const { sessionsMax } = txn;
  if (sessionsMax !== undefined && held.subject !== null && tree.sessionsOf(held.subject) >= sessionsMax)
    return refused(tree, refuse("QUOTA_EXCEEDED", `an identity has at most ${sessionsMax} sessions`));
  const work = new Work(tree);
  const born = { id, secretHash, timeoutMs, held };
  tree.addSession(new Session({ ...born, identitiesZxid: work.zxid, connection }));
  return done(work, {});
}

/** Resumes a session on another connection, which fences the one before. */
function moveSession(tree: Tree, txn: OpenTxn, time: number): Applied {
  const session = tree.sessions.get(txn.session);
  if (session === undefined || session.secretHash !== txn.secretHash || session.isRevoked) return expired(tree);
  if (txn.connection !== "" && session.connection === txn.connection) return repeated(tree);
  const at = judgedAt(txn, time);
  const kept = { held: session.held.at(at), subject: session.subject };
  const held = identified(tree, kept, txn, txn.format ?? 1, at);
  if ("code" in held) return refused(tree, held);
  const work = new Work(tree);
  tree.keepSession(session);
  session.generation++;
  session.connection = txn.connection;
  session.timeoutMs = txn.timeoutMs;
  tree.identify(session, held, work.zxid);
  return done(work, {});
}

function endSession(tree: Tree, txn: EndTxn | ExpireTxn): Applied {
  const session = tree.sessions.get(txn.session);
  if (session === undefined) return expired(tree);
  if (session.generation !== txn.generation) return refused(tree, refuse("SESSION_MOVED", "the session has a newer connection"));
  const work = new Work(tree);
  removeSession(work, session);
  return done(work, {});
}

/** Takes away what has ended, where the session did not renew it in time. */
function lapse(tree: Tree, txn: LapseTxn, time: number): Applied {
  const session = tree.sessions.get(txn.session);
  if (session === undefined) return expired(tree);
  const held = session.held.at(judgedAt(txn, time));
  if (held === session.held) return refused(tree, refuse("BAD_VERSION", "nothing that the session has proved has ended"));
  const work = new Work(tree);
  tree.keepSession(session);
  tree.identify(session, held, work.zxid);
  return done(work, {});
}

/** A revoked session ends, whatever it does meanwhile. */
function evict(tree: Tree, txn: EvictTxn): Applied {
  const session = tree.sessions.get(txn.session);
  if (session?.isRevoked !== true) return expired(tree);
  const work = new Work(tree);
  removeSession(work, session);
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
