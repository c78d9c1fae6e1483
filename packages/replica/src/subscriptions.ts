/**
 * Subscriptions: the present state, then every later change, gap-free and in zxid order (SPEC.md, section 6).
 *
 * A subscription is live (each change goes out as it happens), streaming (its state is on the way in pieces, read at one
 * zxid), or dropped (its reader was too slow; it will get its state anew). Invariants: a change is encoded once for all
 * that show it under the same number; what a slow reader costs is one state in this enum and nothing that grows;
 * from streaming to live there is no gap, because the history fills it.
 */
import {
  type Chunk,
  changeFrameBytesMax,
  chunk,
  encodeStat,
  encodeValue,
  isWithin,
  parentOf,
  type Scope,
  type Subscribe,
} from "@copse/protocol";
import { type Acl, type Caller, type Change, mayDo, ShardedMap, statOf, type Tree, type TreeReader, type Znode } from "@copse/tree";
import type { Answer, Connection } from "./connection.ts";
import type { Happened, History } from "./history.ts";

type SubscriptionState =
  | { readonly kind: "live" }
  | { readonly kind: "streaming"; readonly reader: TreeReader; isFirstPiece: boolean; readonly isReset: boolean }
  | { readonly kind: "dropped" };

export interface Subscription {
  readonly number: number;
  readonly connection: Connection;
  readonly path: string;
  readonly scope: Scope;
  readonly withData: boolean;
  state: SubscriptionState;
}

const levelsOf: Record<Scope, number> = { node: 0, children: 1, tree: Number.POSITIVE_INFINITY };
/** UTF-16 units of state in one piece: a few milliseconds of work at most. */
const pieceUnits = 262_144;
/** Pieces sent in one turn of the loop, over all subscriptions. */
const piecesPerTurn = 4;
/** Znodes that may change ahead of a piece-wise reader before it begins anew. */
const asideMax = 100_000;

export class Subscriptions {
  readonly #tree: Tree;
  readonly #history: History;
  readonly #byConnection: Map<Connection, Map<number, Subscription>> = new Map();
  readonly #byPath: Record<Scope, ShardedMap<Set<Subscription>>> = {
    node: new ShardedMap(),
    children: new ShardedMap(),
    tree: new ShardedMap(),
  };
  /** Those that are not live: what `work` looks after. */
  readonly #unsettled: Set<Subscription> = new Set();
  #size = 0;

  constructor(tree: Tree, history: History) {
    this.#tree = tree;
    this.#history = history;
  }

  get size(): number {
    return this.#size;
  }

  /** Subscriptions of one connection. */
  count(connection: Connection): number {
    return this.#byConnection.get(connection)?.size ?? 0;
  }

  /** True while some subscription waits for a turn of `work`. */
  get hasWork(): boolean {
    for (const { connection } of this.#unsettled) if (!connection.isCongested) return true;
    return false;
  }

  /**
   * Begins a subscription.
   * @returns the reply, and what to send right behind it
   */
  subscribe(request: Subscribe, connection: Connection): Answer {
    const numbers = this.#byConnection.get(connection) ?? new Map<number, Subscription>();
    this.#byConnection.set(connection, numbers);
    let number = 1;
    while (numbers.has(number)) number++;
    const { path, scope, since } = request;
    const subscription: Subscription = { number, connection, path, scope, withData: request.data, state: { kind: "live" } };
    numbers.set(number, subscription);
    this.#size++;
    const sharing = this.#byPath[scope].get(path);
    if (sharing === undefined) this.#byPath[scope].set(path, new Set([subscription]));
    else sharing.add(subscription);
    const missed = since === null ? null : this.#missed(subscription, since);
    const head = `,"zxid":${this.#tree.zxid},"sub":${number}`;
    if (missed !== null) return { body: `${head},"resumed":true`, after: () => this.#replay(subscription, missed) };
    this.#stream(subscription, false);
    const { nodes, isLast } = this.#piece(subscription);
    return { body: `${head},"resumed":false,"nodes":[${nodes}]${isLast ? "" : ',"more":true'}` };
  }

  /** False if the connection has no such subscription. */
  unsubscribe(connection: Connection, number: number): boolean {
    const numbers = this.#byConnection.get(connection);
    const subscription = numbers?.get(number);
    if (numbers === undefined || subscription === undefined) return false;
    numbers.delete(number);
    if (numbers.size === 0) this.#byConnection.delete(connection);
    this.#settle(subscription, { kind: "live" });
    const sharing = this.#byPath[subscription.scope].get(subscription.path)!;
    sharing.delete(subscription);
    if (sharing.size === 0) this.#byPath[subscription.scope].delete(subscription.path);
    this.#size--;
    return true;
  }

  forget(connection: Connection): void {
    for (const number of [...(this.#byConnection.get(connection)?.keys() ?? [])]) this.unsubscribe(connection, number);
  }

  /** What the connection may see has changed: its subscriptions begin anew, unless all may see everything. */
  identitiesChanged(connection: Connection): void {
    if (this.#tree.restricted === 0) return;
    for (const subscription of this.#byConnection.get(connection)?.values() ?? []) this.#reset(subscription);
  }

  /** Sends one txn's changes to the live subscriptions that show them. */
  publish(changes: readonly Change[], zxid: number): void {
    if (this.#size === 0 || changes.length === 0) return;
    const shown = new Map<Subscription, Change[]>();
    const show = (sharing: Set<Subscription> | undefined, change: Change): void => {
      for (const subscription of sharing ?? []) {
        const list = shown.get(subscription);
        if (list === undefined) shown.set(subscription, [change]);
        else list.push(change);
      }
    };
    for (const change of changes) {
      const { path } = change;
      show(this.#byPath.node.get(path), change);
      show(this.#byPath.children.get(path), change);
      if (path !== "/") show(this.#byPath.children.get(parentOf(path)), change);
      for (let above = path; ; above = parentOf(above)) {
        show(this.#byPath.tree.get(above), change);
        if (above === "/") break;
      }
    }
    const encoder = new ChangeEncoder(zxid);
    for (const [subscription, list] of shown) this.#tell(subscription, list, encoder);
    for (const change of changes) if (change.kind === "acl") this.#resetBelow(change);
  }

  /** A parent's ACL decides too whether a znode is shown: those that begin right below it see no change of their own. */
  #resetBelow(change: Change): void {
    for (const numbers of this.#byConnection.values()) {
      for (const subscription of numbers.values()) {
        const { path, state, connection } = subscription;
        const isBelow = path !== "/" && parentOf(path) === change.path;
        if (isBelow && state.kind === "live" && changesSight(change, connection.caller)) this.#reset(subscription);
      }
    }
  }

  /** Sends the next pieces to those that can take them. Call it again while `hasWork`, and behind each turn. */
  work(): void {
    let pieces = 0;
    for (const subscription of [...this.#unsettled]) {
      if (subscription.connection.isCongested) continue;
      if (++pieces > piecesPerTurn) break;
      const isLost =
        subscription.state.kind === "dropped" || (subscription.state.kind === "streaming" && subscription.state.reader.isOverrun);
      if (isLost) this.#stream(subscription, true);
      this.#sendPiece(subscription);
    }
  }

  /**
   * Drops what the subscription holds and begins its state anew. The first message of that leaves at once, whatever the
   * backlog: no reply that follows may make the client believe that it has seen what was dropped.
   */
  #reset(subscription: Subscription): void {
    const { connection, number } = subscription;
    if (connection.isCongested) {
      this.#settle(subscription, { kind: "dropped" });
      connection.send(chunk(`{"sub":${number},"reset":true,"zxid":${this.#tree.zxid},"nodes":[],"more":true}`));
    } else {
      this.#stream(subscription, true);
      this.#sendPiece(subscription);
    }
  }

  #sendPiece(subscription: Subscription): void {
    const { state } = subscription;
    if (state.kind !== "streaming") return;
    const isReset = state.isReset && state.isFirstPiece;
    const { zxid } = state.reader;
    const { nodes, isLast } = this.#piece(subscription);
    const head = `{"sub":${subscription.number}${isReset ? ',"reset":true' : ""},"zxid":${zxid},"nodes":[${nodes}]`;
    subscription.connection.send(chunk(`${head}${isLast ? "" : ',"more":true'}}`));
    if (isLast) this.#catchUp(subscription, zxid);
    else this.#yieldPlace(subscription);
  }

  /** Lets the others have their pieces before this one has its next. */
  #yieldPlace(subscription: Subscription): void {
    this.#unsettled.delete(subscription);
    this.#unsettled.add(subscription);
  }

  #tell(subscription: Subscription, changes: readonly Change[], encoder: ChangeEncoder): void {
    const { connection } = subscription;
    if (subscription.state.kind !== "live") return;
    if (connection.isCongested || changes.some((change) => changesSight(change, connection.caller))) return this.#reset(subscription);
    for (const message of encoder.encode(subscription, changes)) connection.send(message);
  }

  #settle(subscription: Subscription, state: SubscriptionState): void {
    if (subscription.state.kind === "streaming") subscription.state.reader.close();
    subscription.state = state;
    if (state.kind === "live") this.#unsettled.delete(subscription);
    else this.#unsettled.add(subscription);
  }

  #stream(subscription: Subscription, isReset: boolean): void {
    const reader = this.#tree.read(subscription.path, levelsOf[subscription.scope], asideMax);
    this.#settle(subscription, { kind: "streaming", reader, isFirstPiece: true, isReset });
  }

  /** The next piece of a streaming subscription's state; behind the last it is live. */
  #piece(subscription: Subscription): { readonly nodes: string; readonly isLast: boolean } {
    const { state } = subscription;
    if (state.kind !== "streaming") throw new Error("only a streaming subscription has pieces");
    state.isFirstPiece = false;
    const nodes: string[] = [];
    let units = 0;
    for (const { path, znode } of state.reader.rest()) {
      const text = encodeZnode(path, znode, subscription);
      if (text === null) continue;
      nodes.push(text);
      units += text.length;
      if (units > pieceUnits) return { nodes: nodes.join(","), isLast: false };
    }
    this.#settle(subscription, { kind: "live" });
    return { nodes: nodes.join(","), isLast: true };
  }

  /** Sends what came while the pieces were on their way, or begins anew where the history has lost it. */
  #catchUp(subscription: Subscription, zxid: number): void {
    if (zxid === this.#tree.zxid) return;
    const missed = this.#missed(subscription, zxid);
    if (missed === null) this.#reset(subscription);
    else this.#replay(subscription, missed);
  }

  #replay(subscription: Subscription, missed: readonly Happened[]): void {
    for (const { zxid, changes } of missed) {
      const shown = changes.filter((change) => isInScope(subscription, change.path));
      if (shown.length > 0) this.#tell(subscription, shown, new ChangeEncoder(zxid));
    }
  }

  /** What happened since, or null where only the state anew is right. */
  #missed(subscription: Subscription, since: number): readonly Happened[] | null {
    const { connection } = subscription;
    const happened = this.#history.since(since);
    if (happened === null) return null;
    const mayDiffer = this.#tree.restricted > 0;
    if (mayDiffer && connection.session === null) return null;
    const session = connection.session === null ? undefined : this.#tree.sessions.get(connection.session.id);
    if (mayDiffer && session !== undefined && session.identitiesZxid > since) return null;
    const hides = happened.some(({ changes }) =>
      changes.some((change) => decidesSight(subscription, change.path) && changesSight(change, connection.caller)),
    );
    return hides ? null : happened;
  }
}

function isInScope({ path, scope }: Subscription, changed: string): boolean {
  if (scope === "tree") return isWithin(changed, path);
  return changed === path || (scope === "children" && changed !== "/" && parentOf(changed) === path);
}

/** True if the ACL of the znode at `changed` has a say in what the subscription shows. */
function decidesSight(subscription: Subscription, changed: string): boolean {
  const { path } = subscription;
  return isInScope(subscription, changed) || (path !== "/" && changed === parentOf(path));
}

/** True for a setAcl that gives or takes the caller's right to read. */
function changesSight(change: Change, caller: Caller): boolean {
  return change.before !== null && mayDo(change.before, "read", caller) !== mayDo(change.acl, "read", caller);
}

/** 0: hidden; 1: shown without its data; 2: shown. */
function sight(acl: Acl, parentAcl: Acl | null, caller: Caller): 0 | 1 | 2 {
  if (mayDo(acl, "read", caller)) return 2;
  return parentAcl !== null && mayDo(parentAcl, "read", caller) ? 1 : 0;
}

function encodeZnode(path: string, znode: Znode, { connection, withData }: Subscription): string | null {
  const seen = sight(znode.acl, znode.parent?.acl ?? null, connection.caller);
  if (seen === 0) return null;
  return `{"path":${JSON.stringify(path)}${shownData(znode.value, seen, withData)},"stat":${encodeStat(statOf(znode))}}`;
}

function shownData(value: Znode["value"], seen: 1 | 2, withData: boolean): string {
  if (!withData) return "";
  return seen === 1 ? ',"denied":true' : encodeValue(value);
}

/** Encodes the changes of one zxid, once for all subscriptions to which they look the same. */
class ChangeEncoder {
  readonly #zxid: number;
  readonly #encoded: Map<string, readonly Chunk[]> = new Map();

  constructor(zxid: number) {
    this.#zxid = zxid;
  }

  encode(subscription: Subscription, changes: readonly Change[]): readonly Chunk[] {
    const { number, path, scope, withData, connection } = subscription;
    const seen = changes.map(({ acl, parentAcl }) => sight(acl, parentAcl, connection.caller));
    const key = `${number} ${withData} ${scope} ${seen.join("")} ${path}`;
    let chunks = this.#encoded.get(key);
    if (chunks === undefined) {
      chunks = this.#chunks(number, changes, seen, withData);
      this.#encoded.set(key, chunks);
    }
    return chunks;
  }

  #chunks(number: number, changes: readonly Change[], seen: readonly (0 | 1 | 2)[], withData: boolean): readonly Chunk[] {
    const frames: string[][] = [[]];
    let units = 0;
    for (const [at, change] of changes.entries()) {
      const sightOf = seen[at]!;
      if (sightOf === 0) continue;
      const text = this.#message(number, change, sightOf, withData);
      if (units + text.length > changeFrameBytesMax && units > 0) {
        frames.push([]);
        units = 0;
      }
      units += text.length;
      frames[frames.length - 1]!.push(text);
    }
    return frames
      .filter((frame) => frame.length > 0)
      .map((frame, at) => {
        const more = at < frames.length - 1 ? ',"more":true}' : "}";
        return { text: frame.map((text) => text + more).join(","), messages: frame.length };
      });
  }

  /** One change, without the brace that closes it. */
  #message(number: number, { kind, path, value, stat }: Change, seen: 1 | 2, withData: boolean): string {
    let text = `{"sub":${number},"zxid":${this.#zxid},"change":"${kind}","path":${JSON.stringify(path)}`;
    if (kind === "created" || kind === "changed") text += shownData(value, seen, withData);
    return stat === null ? text : `${text},"stat":${encodeStat(stat)}`;
  }
}
