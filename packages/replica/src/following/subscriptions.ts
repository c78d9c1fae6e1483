/**
 * Subscriptions: the present state, then every later change, gap-free and in zxid order (SPEC.md, part U).
 *
 * A subscription is live (each change goes out as it happens), streaming (its state is on the way in pieces, read at one
 * zxid), or dropped (it will get its state anew, once its reader has taken what waits and there is room for another state to
 * be read). Invariants: a change is encoded once for all that show it under the same number; from streaming to live there is no gap,
 * because the history fills it; states that are being read are at most `viewsMax`, and none of them waits for one who does not read.
 */
import {
  chunk,
  encodeNode,
  encodePiece,
  isReserved,
  parentOf,
  type Refusal,
  refuse,
  rulesPath,
  type Scope,
  type Subscribe,
} from "@copse/protocol";
import { type Caller, type Change, configPath, PathTrie, ShardedMap, statOf, type Tree, type Znode } from "@copse/tree";
import type { Budgets } from "../connections/budgets.ts";
import type { Connection } from "../connections/connection.ts";
import type { Answer } from "../connections/slot.ts";
import type { Turn } from "../connections/turn.ts";
import { publicValue, statBeside } from "../ensemble/shown-config.ts";
import { ChangeEncoder, changesSight, seenData, wasOpen } from "./change-encoder.ts";
import type { Happened, History } from "./history.ts";
import type { Sight } from "./sight.ts";
import { bytesOf, canGoOn, decidesSight, isInScope, isSlow, type Subscription, type SubscriptionState } from "./subscription.ts";

const levelsOf: Record<Scope, number> = { node: 0, children: 1, tree: Number.POSITIVE_INFINITY };
/** UTF-16 units of state in one piece, and znodes that are looked at for it, hidden ones too: a few milliseconds of work at most. */
const pieceUnits = 262_144;
const pieceLooksMax = 4_096;
/** Pieces sent in one turn of the loop, over all subscriptions. */
const piecesPerTurn = 4;
/** States that are read in pieces at once, over all subscriptions; later ones begin later. */
const viewsMax = 64;
/** Znodes that may change ahead of a piece-wise reader before it begins anew. */
const asideMax = 100_000;

export class Subscriptions {
  readonly #tree: Tree;
  readonly #history: History;
  readonly #byConnection: Map<Connection, Map<number, Subscription>> = new Map();
  readonly #byPath = {
    node: new ShardedMap<Set<Subscription>>(),
    children: new ShardedMap<Set<Subscription>>(),
    tree: new PathTrie<Set<Subscription>>(),
  } as const;
  /** By the parents of their paths: whose ACL decides too whether they show anything. */
  readonly #byParent: ShardedMap<Set<Subscription>> = new ShardedMap();
  /** The smallest number that may be free, where others are taken. */
  readonly #lowest: WeakMap<Map<number, Subscription>, number> = new WeakMap();
  readonly #turn: Turn;
  readonly #budgets: Budgets;
  /** Those that are not live: what `work` looks after. */
  readonly #unsettled: Set<Subscription> = new Set();
  readonly #sight: Sight;
  readonly #most: number;
  #size = 0;

  /** @param most subscriptions of one connection */
  constructor(tree: Tree, history: History, turn: Turn, budgets: Budgets, rules: { readonly most: number; readonly sight: Sight }) {
    this.#tree = tree;
    this.#history = history;
    this.#turn = turn;
    this.#budgets = budgets;
    this.#sight = rules.sight;
    this.#most = rules.most;
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
    const hasRoom = this.#hasRoom || this.#slowest() !== null;
    for (const subscription of this.#unsettled) if (canGoOn(subscription, hasRoom)) return true;
    return false;
  }

  /** True where another state may be read. */
  get #hasRoom(): boolean {
    return this.#tree.views < viewsMax;
  }

  /** A subscription whose state is being read for a connection that does not take it. */
  #slowest(): Subscription | null {
    for (const subscription of this.#unsettled) if (subscription.state.kind === "streaming" && isSlow(subscription)) return subscription;
    return null;
  }

  /** If too many states are being read, gives up one whose connection does not read it. False if there is none. */
  #makeRoom(): boolean {
    const slowest = this.#slowest();
    if (slowest !== null) this.#settle(slowest, { kind: "dropped" });
    return slowest !== null;
  }

  /** Why the connection may not have one more, or null. */
  refusal(connection: Connection, path: string): Refusal | null {
    const anonymousMax = this.#budgets.limits.subscriptionsAnonymous;
    const isAnonymous = !connection.caller.identities.some(({ scheme }) => scheme !== "digest" && scheme !== "scrypt");
    const most = isAnonymous ? Math.min(this.#most, anonymousMax) : this.#most;
    const beyond = connection.holder?.refusal("subscriptions", 1) ?? null;
    if (beyond !== null) this.#budgets.refused("subscriptionsPerIdentity");
    if (beyond !== null || this.count(connection) < most) return beyond ?? this.#budgets.refusalToFollow(connection.account, bytesOf(path));
    if (most < this.#most) this.#budgets.refused("subscriptionsAnonymous");
    return refuse("QUOTA_EXCEEDED", `the connection has at most ${most} subscriptions`);
  }

  /**
   * Begins a subscription that `refusal` has nothing against.
   * @returns the reply, and what to send right after it
   */
  subscribe(request: Subscribe, connection: Connection): Answer {
    const numbers = this.#byConnection.get(connection) ?? new Map<number, Subscription>();
    this.#byConnection.set(connection, numbers);
    let number = this.#lowest.get(numbers) ?? 1;
    while (numbers.has(number)) number++;
    this.#lowest.set(numbers, number + 1);
    const { path, scope, since } = request;
    const subscription: Subscription = { number, connection, path, scope, withData: request.data, state: { kind: "live" } };
    numbers.set(number, subscription);
    this.#count(connection, 1);
    this.#budgets.follow(connection.account, bytesOf(path));
    addTo(this.#byPath[scope], path, subscription);
    if (path !== "/") addTo(this.#byParent, parentOf(path), subscription);
    const missed = since === null ? null : this.#missed(subscription, since);
    const { replies } = connection;
    const { zxid } = this.#tree;
    const body = replies.body(zxid, replies.subscribed(number, null));
    if (missed !== null) return { body, after: () => this.#replay(subscription, missed) };
    this.#stream(subscription, false);
    const isHidden = this.#isHidden(subscription);
    return { body: replies.body(zxid, replies.subscribed(number, { ...this.#piece(subscription), isHidden })) };
  }

  /** False if the connection has no such subscription. */
  unsubscribe(connection: Connection, number: number): boolean {
    const numbers = this.#byConnection.get(connection);
    const subscription = numbers?.get(number);
    if (numbers === undefined || subscription === undefined) return false;
    numbers.delete(number);
    this.#lowest.set(numbers, Math.min(number, this.#lowest.get(numbers) ?? 1));
    if (numbers.size === 0) this.#byConnection.delete(connection);
    this.#settle(subscription, { kind: "live" });
    const { path, scope } = subscription;
    removeFrom(this.#byPath[scope], path, subscription);
    if (path !== "/") removeFrom(this.#byParent, parentOf(path), subscription);
    this.#count(connection, -1);
    this.#budgets.follow(connection.account, -bytesOf(path));
    return true;
  }

  #count(connection: Connection, step: 1 | -1): void {
    this.#size += step;
    connection.subscriptions += step;
    if (connection.holder !== null) connection.holder.subscriptions += step;
  }

  forget(connection: Connection): void {
    for (const number of [...(this.#byConnection.get(connection)?.keys() ?? [])]) this.unsubscribe(connection, number);
  }

  /** What the connection may see has changed: its subscriptions begin anew, unless all may see everything. */
  identitiesChanged(connection: Connection): void {
    if (!this.#tree.hides) return;
    for (const subscription of this.#byConnection.get(connection)?.values() ?? []) this.#reset(subscription);
  }

  /** Sends one txn's changes to the live subscriptions that show them. */
  publish(changes: readonly Change[], zxid: number): void {
    if (this.#size === 0 || changes.length === 0) return;
    if (changes.some(({ path }) => path === rulesPath)) this.#resetAll();
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
      this.#byPath.tree.visitWay(path, (sharing) => show(sharing, change));
    }
    const encoder = this.#encoder(zxid, changes);
    for (const [subscription, list] of shown) this.#tell(subscription, list, encoder);
    for (const change of changes) if (change.kind === "acl") this.#resetBelow(change);
  }

  /** The rules have changed: what all may see is judged anew, in slices, and nobody is told of anything by the former ones. */
  #resetAll(): void {
    for (const subscriptions of this.#byConnection.values()) {
      for (const subscription of subscriptions.values()) {
        if (!isReserved(subscription.path)) this.#drop(subscription);
      }
    }
  }

  /** A parent's ACL decides too whether a znode is shown: those that begin right below it see no change of their own. */
  #resetBelow(change: Change): void {
    for (const subscription of this.#byParent.get(change.path) ?? []) {
      if (subscription.state.kind === "live" && changesSight(change, subscription.connection.caller)) this.#reset(subscription);
    }
  }

  /** Sends the next pieces to those that can take them. Call it again while `hasWork`, and after each turn. */
  work(): void {
    let pieces = 0;
    for (const subscription of [...this.#unsettled]) {
      const { connection, state } = subscription;
      // A connection that does not read keeps no state open.
      if (state.kind === "streaming" && connection.isCongested) this.#settle(subscription, { kind: "dropped" });
      if (!canGoOn(subscription, this.#hasRoom || this.#makeRoom())) continue;
      if (++pieces > piecesPerTurn || (pieces > 1 && this.#turn.isOver)) break;
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
    if (subscription.connection.isCongested) this.#drop(subscription);
    else {
      this.#stream(subscription, true);
      this.#sendPiece(subscription);
    }
  }

  /** Drops it, and says so: its state comes later. */
  #drop(subscription: Subscription): void {
    this.#settle(subscription, { kind: "dropped" });
    const { connection, number } = subscription;
    const { zxid } = this.#tree;
    connection.send(chunk(encodePiece({ sub: number, isReset: true, zxid, nodes: [], isHidden: false, isLast: false })));
  }

  #sendPiece(subscription: Subscription): void {
    const { state } = subscription;
    if (state.kind !== "streaming") return;
    const isReset = state.isReset && state.isFirstPiece;
    const { zxid } = state.reader;
    const isHidden = this.#isHidden(subscription);
    const { nodes, isLast } = this.#piece(subscription);
    subscription.connection.send(chunk(encodePiece({ sub: subscription.number, isReset, zxid, nodes, isHidden, isLast })));
    if (isLast) this.#catchUp(subscription, zxid);
    else this.#yieldPlace(subscription);
  }

  /** True where the znode at the subscription's own path is there and hidden: an empty state would look like none. */
  #isHidden({ path, scope, connection }: Subscription): boolean {
    // Where rules hide it, nobody learns whether it is there; below it something may be shown.
    if (!this.#sight.isShown(path, connection.caller)) return scope === "node";
    const znode = this.#tree.find(path);
    return znode !== undefined && this.#sight.of(path, znode.acl, znode.parent?.acl ?? null, connection.caller) === 0;
  }

  /** Lets the others have their pieces before this one has its next. */
  #yieldPlace(subscription: Subscription): void {
    this.#unsettled.delete(subscription);
    this.#unsettled.add(subscription);
  }

  #tell(subscription: Subscription, changes: readonly Change[], encoder: ChangeEncoder): void {
    const { connection } = subscription;
    if (subscription.state.kind !== "live") return;
    const isOther = (change: Change): boolean =>
      changesSight(change, connection.caller) || (change.path === subscription.path && this.#comesOrGoesUnseen(change, connection.caller));
    if (connection.isCongested || changes.some(isOther)) return this.#reset(subscription);
    for (const message of encoder.encode(subscription, changes)) connection.send(message);
  }

  /** True for a znode that is created or deleted, and was not shown or will not be, though no rule hides it. */
  #comesOrGoesUnseen({ kind, path, acl, parentAcl }: Change, caller: Caller): boolean {
    if (kind !== "created" && kind !== "deleted") return false;
    return this.#sight.isShown(path, caller) && this.#sight.of(path, acl, parentAcl, caller) === 0;
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

  /** The next piece of a streaming subscription's state; after the last it is live. */
  #piece(subscription: Subscription): { readonly nodes: readonly string[]; readonly isLast: boolean } {
    const { state } = subscription;
    if (state.kind !== "streaming") throw new Error("only a streaming subscription has pieces");
    state.isFirstPiece = false;
    const nodes: string[] = [];
    let units = 0;
    let looked = 0;
    for (const { path, znode } of state.reader.rest()) {
      const text = this.#encode(path, znode, subscription);
      // A long ACL takes as long as some znodes.
      looked += 1 + (znode.acl.items.length >> 3);
      if (text !== null) {
        nodes.push(text);
        units += text.length;
      }
      if (units > pieceUnits || looked > pieceLooksMax) {
        if (this.#tree.views > viewsMax && !this.#makeRoom()) this.#settle(subscription, { kind: "dropped" });
        return { nodes, isLast: false };
      }
    }
    this.#settle(subscription, { kind: "live" });
    return { nodes, isLast: true };
  }

  #encode(path: string, znode: Znode, { connection, withData }: Subscription): string | null {
    const seen = this.#sight.of(path, znode.acl, znode.parent?.acl ?? null, connection.caller);
    if (seen === 0) return null;
    const isPublic = path === configPath && !this.#sight.isAdmin(connection.caller);
    const value = isPublic ? publicValue(path, znode.value) : znode.value;
    const stat = isPublic ? statBeside(statOf(znode), value) : statOf(znode);
    return encodeNode(path, seenData(value, seen, withData), stat);
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
      if (shown.length > 0) this.#tell(subscription, shown, this.#encoder(zxid, shown));
    }
  }

  #encoder(zxid: number, changes: readonly Change[]): ChangeEncoder {
    return new ChangeEncoder(zxid, changes, this.#sight);
  }

  /** What happened since, or null where only the state anew is right. */
  #missed(subscription: Subscription, since: number): readonly Happened[] | null {
    const { connection } = subscription;
    const happened = this.#history.since(since);
    if (happened === null || since < this.#tree.rulesZxid) return null;
    const concerns = ({ path }: Change): boolean => decidesSight(subscription, path);
    const session = connection.session === null ? undefined : this.#tree.sessions.get(connection.session.id);
    // Whoever had other identities at `since` may have been shown less, and must not be told of it now.
    if (session === undefined || session.identitiesZxid > since) {
      if (this.#tree.hides || !happened.every(({ changes }) => changes.every((change) => !concerns(change) || wasOpen(change))))
        return null;
    }
    const hides = happened.some(({ changes }) => changes.some((change) => concerns(change) && changesSight(change, connection.caller)));
    return hides ? null : happened;
  }
}

/** Subscriptions by their paths: the way down to a changed path is walked only for those who follow a tree. */
interface ByPath {
  get(path: string): Set<Subscription> | undefined;
  set(path: string, sharing: Set<Subscription>): void;
  delete(path: string): void;
}

function addTo(places: ByPath, path: string, subscription: Subscription): void {
  const sharing = places.get(path);
  if (sharing === undefined) places.set(path, new Set([subscription]));
  else sharing.add(subscription);
}

function removeFrom(places: ByPath, path: string, subscription: Subscription): void {
  const sharing = places.get(path)!;
  sharing.delete(subscription);
  if (sharing.size === 0) places.delete(path);
}
