/**
 * Writes that give and take identities: auth, logout, revoke, endSession.
 *
 * Invariants: a session has one token subject for life, whatever it proves later; a credential that was revoked is never taken; a session
 * from which a revocation took something does nothing any more, unless that was to spare it.
 */
import { type EndSession, type Identity, type Refusal, type Results, type Revoke, refuse, type WriteResult } from "@copse/protocol";
import type { Caller } from "../access/acl.ts";
import { noIdentities, type Proof } from "../access/identities.ts";
import { isAdmin } from "../access/permission.ts";
import { revocationsMax } from "../access/revocations.ts";
import type { Session } from "../session-table.ts";
import type { Tree } from "../tree.ts";
import type { Authenticate, WriteTxn } from "../txn.ts";
import { removeEphemerals, type Work } from "./operation.ts";

/** How far ahead of the txn's time a token may be issued, in milliseconds: clocks differ. */
const issuedAheadMsMax = 60_000;

/** Where the table was last written by a build that has no such limit. */
const identitiesMaxDefault = 64;

/** What credentials have proved, for a session. */
export interface Proved {
  readonly identities: readonly Identity[];
  readonly proofs?: readonly Proof[] | undefined;
}

/** Why a session that has this subject can't have these proofs, or null. */
export function proofRefusal(tree: Tree, subject: string | null, { proofs = [] }: Proved): Refusal | null {
  if (proofs.some((proof) => tree.revocations.refuses(proof)))
    return { ...refuse("AUTH_FAILED", "the credential is not accepted"), reason: "refused" };
  const subjects = new Set(proofs.flatMap((proof) => proof.subject ?? []));
  if (subject !== null) subjects.add(subject);
  return subjects.size > 1 ? { ...refuse("AUTH_FAILED", "a session belongs to one token subject for life"), reason: "refused" } : null;
}

/** The identities of a session that has proved some more, or why not. */
export function identified(
  tree: Tree,
  session: Pick<Session, "held" | "subject">,
  proved: Proved,
  format: number,
  at: number,
): Session["held"] | Refusal {
  if (format < 3) return session.held.joinedBy(proved.identities);
  const refusal = proofRefusal(tree, session.subject, proved);
  if (refusal !== null) return refusal;
  const proofs = proved.proofs?.map((proof) => ({ ...proof, provedAt: at }));
  // What has ended on the way counts no more.
  const held = session.held.renewedBy(proved.identities, proofs).at(at);
  const most = tree.limits.identities ?? identitiesMaxDefault;
  return held.all.length > Math.max(session.held.all.length, most)
    ? refuse("QUOTA_EXCEEDED", `a session has at most ${most} identities`)
    : held;
}

/** @param at milliseconds since the epoch, as the txn is judged */
export function authenticate(work: Work, write: Authenticate, session: Session, at: number): Results["auth"] | Refusal {
  const held = identified(work.tree, session, write, work.format, at);
  if ("code" in held) return held;
  work.tree.identify(session, held, work.zxid);
  if (work.format < 5) return {};
  return { identities: held.all, ...(held.endsAt < Number.POSITIVE_INFINITY ? { expiresAt: held.endsAt } : {}) };
}

export function logOut(work: Work, session: Session): WriteResult {
  work.tree.identify(session, noIdentities, work.zxid);
  return {};
}

export function revoke(work: Work, write: Revoke, caller: Caller, txn: WriteTxn, at: number): WriteResult | Refusal {
  const { tree } = work;
  if (!isAdmin(tree, caller, txn.isWorldAdmin === true)) return notAdmin();
  const { identity, keepsSessions } = write;
  if (write.before === 0) {
    tree.revocations.lift(identity);
    return {};
  }
  const before = write.before ?? at + issuedAheadMsMax;
  if (!tree.revocations.add({ identity, before, at, until: at + (txn.retentionMs ?? 0) }))
    return refuse("QUOTA_EXCEEDED", `there are at most ${revocationsMax} revocations`);
  for (const session of tree.sessions.values()) {
    const held = session.held.without(identity, write.before ?? Number.POSITIVE_INFINITY);
    if (held === session.held) continue;
    tree.keepSession(session);
    tree.identify(session, held, work.zxid);
    if (!keepsSessions) session.isRevoked = true;
  }
  return {};
}

export function endAnySession(work: Work, write: EndSession, caller: Caller, isWorldAdmin: boolean): WriteResult | Refusal {
  const { tree } = work;
  if (!isAdmin(tree, caller, isWorldAdmin)) return notAdmin();
  const session = tree.sessions.get(write.session);
  if (session === undefined) return refuse("SESSION_EXPIRED", "the session is expired or unknown");
  removeSession(work, session);
  return {};
}

/** The session goes, and its ephemerals with it. */
export function removeSession(work: Work, session: Session): void {
  work.tree.keepSession(session);
  removeEphemerals(work, session.ephemerals.after(null));
  work.tree.deleteSession(session);
}

function notAdmin(): Refusal {
  return refuse("NO_AUTH", "needs the permission to administer the root", "/");
}
