/**
 * Subscriptions: one on the server for each (path, scope, data), a mirror of it here, and any number of observers.
 *
 * Invariants: the mirror is the server's state at `since`, complete, once it is whole; an observer sees the state, then every
 * change in zxid order, and the state anew after a gap. A change of several messages is shown only when it is complete.
 */
import type { ChangeKind, Reply, ReplyOf, Scope, Stat, SubscribedZnode, SubscriptionChange, SubscriptionPiece } from "@copse/protocol";
import { decodeBase64 } from "../calls/base64.ts";
import { CopseError } from "../errors.ts";
import { callListener } from "./listener.ts";

/** A znode as a subscription shows it. */
export interface LiveZnode {
  readonly path: string;
  /** Text data; null for null data, for bytes, and where data was not asked for or denied. */
  readonly data: string | null;
  /** The data where it is not UTF-8. */
  readonly bytes: Uint8Array | null;
  /** True if the data may not be read. */
  readonly isDenied: boolean;
  readonly stat: Stat;
}

export interface Change {
  /** resync: some were lost. denied: the znode is there, and may not be read. */
  readonly kind: ChangeKind | "resync" | "denied";
  readonly path: string;
  readonly zxid: number;
  /** The znode after the change; null after deleted, and with resync. */
  readonly znode: LiveZnode | null;
  readonly stat: Stat | null;
  readonly data: string | null;
}

export interface Observer {
  /**
   * The whole state: at first, and again after a gap. The map is live; it must not be changed.
   * @param isHidden the znode at the path is there, and this client may not see it
   */
  state(znodes: ReadonlyMap<string, LiveZnode>, zxid: number, isHidden: boolean): void;
  /** All changes of one zxid, already in the map. */
  changes(changes: readonly Change[], zxid: number): void;
  /** The server refused; nothing more comes. */
  failed(error: CopseError): void;
}

export interface SubscriptionRequest {
  readonly path: string;
  readonly scope: Scope;
  readonly data: boolean;
}

type Ask = (message: Record<string, unknown>, onReply: (reply: Reply) => void) => void;

export interface SubscriptionPorts {
  /** Sends a request that is kept over reconnects. */
  readonly request: (message: Record<string, unknown>, onReply: (reply: Reply | CopseError) => void) => void;
  /** Sends a request that is forgotten where the connection ends. */
  readonly requestHere: (message: Record<string, unknown>) => void;
}

class Feed {
  readonly wanted: SubscriptionRequest;
  readonly observers: Set<Observer> = new Set();
  znodes: Map<string, LiveZnode> = new Map();
  /** The server's number for it on this connection, or null. */
  sub: number | null = null;
  /** Its first request still stands in the outbox, which sends it again by itself. */
  isFirstAsked = true;
  /** The newest zxid that is complete in the mirror. */
  since = 0;
  isWhole = false;
  isHidden = false;
  /** What a state in pieces or a change in frames has brought so far. */
  arriving: Map<string, LiveZnode> | null = null;
  partial: SubscriptionChange[] = [];

  constructor(wanted: SubscriptionRequest) {
    this.wanted = wanted;
  }
}

export class Subscriptions {
  readonly #ports: SubscriptionPorts;
  readonly #feeds: Map<string, Feed> = new Map();
  readonly #bySub: Map<number, Feed> = new Map();
  /** Feeds with changes that are shown after the frame in which they came. */
  readonly #unshown: Set<Feed> = new Set();

  constructor(ports: SubscriptionPorts) {
    this.#ports = ports;
  }

  /** Observes; the state comes at once where it is here already, never from within the call. Gives what stops it. */
  observe(wanted: SubscriptionRequest, observer: Observer): () => void {
    const key = `${wanted.scope} ${wanted.data} ${wanted.path}`;
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      feed = new Feed(wanted);
      this.#subscribe(feed);
      this.#feeds.set(key, feed);
    }
    const joined = feed;
    joined.observers.add(observer);
    if (joined.isWhole) {
      queueMicrotask(() => {
        if (joined.observers.has(observer) && joined.isWhole) observer.state(joined.znodes, joined.since, joined.isHidden);
      });
    }
    return () => {
      if (!joined.observers.delete(observer) || joined.observers.size > 0 || this.#feeds.get(key) !== joined) return;
      this.#feeds.delete(key);
      this.#unsubscribe(joined);
    };
  }

  /** Takes a message that has a `sub`. */
  dispatch(message: SubscriptionChange | SubscriptionPiece): void {
    const feed = this.#bySub.get(message.sub);
    if (feed === undefined) return;
    if ("nodes" in message) this.#takePiece(feed, message, message.reset === true);
    else this.#takeChange(feed, message);
  }

  /** The connection is lost: numbers mean nothing any more. */
  lost(): void {
    this.#bySub.clear();
    this.#unshown.clear();
    for (const feed of this.#feeds.values()) {
      feed.sub = null;
      feed.arriving = null;
      feed.partial = [];
    }
  }

  /** Brings the subscriptions back on a new connection, from where each is complete. */
  restore(seenZxid: number, ask: Ask): void {
    for (const feed of this.#feeds.values()) {
      if (feed.isFirstAsked) continue;
      if (feed.isWhole) feed.since = Math.max(feed.since, seenZxid);
      const since = feed.isWhole && seenZxid > 0 ? { since: feed.since } : {};
      ask({ op: "subscribe", ...feed.wanted, ...since }, (reply) => this.#subscribed(feed, reply));
    }
  }

  /** A number means nothing on another connection, so the request is not carried over to one. */
  #unsubscribe(feed: Feed): void {
    if (feed.sub === null) return;
    this.#bySub.delete(feed.sub);
    this.#ports.requestHere({ op: "unsubscribe", sub: feed.sub });
    feed.sub = null;
  }

  #subscribe(feed: Feed): void {
    this.#ports.request({ op: "subscribe", ...feed.wanted }, (reply) => {
      feed.isFirstAsked = false;
      if (reply instanceof CopseError) this.#failed(feed, reply);
      else this.#subscribed(feed, reply);
    });
  }

  #subscribed(feed: Feed, reply: Reply): void {
    if (reply.error?.code === "UNAVAILABLE") {
      // For want of a quorum: the connection ends, and the next is asked again.
      feed.isFirstAsked = true;
      return this.#subscribe(feed);
    }
    if (reply.error !== undefined)
      return this.#failed(feed, new CopseError(reply.error.code, reply.error.message, { path: feed.wanted.path }));
    const { sub, resumed, ...rest } = reply as ReplyOf<"subscribe">;
    feed.sub = sub;
    if (feed.observers.size === 0) return this.#unsubscribe(feed);
    this.#bySub.set(sub, feed);
    if (!resumed) this.#takePiece(feed, { nodes: [], ...rest, sub, zxid: reply.zxid }, true);
  }

  /** The client is closed. */
  end(error: CopseError): void {
    for (const feed of [...this.#feeds.values()]) this.#failed(feed, error);
  }

  #failed(feed: Feed, error: CopseError): void {
    for (const [key, known] of this.#feeds) if (known === feed) this.#feeds.delete(key);
    for (const observer of [...feed.observers]) callListener(() => observer.failed(error));
    feed.observers.clear();
  }

  #takePiece(feed: Feed, { nodes, zxid, more, denied }: SubscriptionPiece, isFirst: boolean): void {
    if (isFirst || feed.arriving === null) {
      feed.arriving = new Map();
      feed.isWhole = false;
      feed.partial = [];
    }
    for (const node of nodes) feed.arriving.set(node.path, liveZnode(node));
    if (more === true) return;
    feed.znodes = feed.arriving;
    feed.isHidden = denied === true;
    feed.arriving = null;
    feed.isWhole = true;
    feed.since = zxid;
    for (const observer of [...feed.observers]) callListener(() => observer.state(feed.znodes, zxid, feed.isHidden));
  }

  #takeChange(feed: Feed, message: SubscriptionChange): void {
    if (feed.partial.length > 0 && feed.partial[0]!.zxid !== message.zxid) this.#show(feed);
    feed.partial.push(message);
    this.#unshown.add(feed);
  }

  /** All messages of a frame are taken: shows the changes that are complete. */
  frameEnded(): void {
    for (const feed of this.#unshown) if (feed.partial[feed.partial.length - 1]?.more !== true) this.#show(feed);
  }

  #show(feed: Feed): void {
    const messages = feed.partial;
    feed.partial = [];
    this.#unshown.delete(feed);
    const zxid = messages[0]?.zxid ?? 0;
    if (messages.length === 0) return;
    const changes = messages.map((message) => applyChange(feed.znodes, message));
    feed.since = Math.max(feed.since, zxid);
    for (const observer of [...feed.observers]) callListener(() => observer.changes(changes, zxid));
  }
}

function applyChange(znodes: Map<string, LiveZnode>, message: SubscriptionChange): Change {
  const { path, change: kind, zxid, stat } = message;
  if (kind === "deleted") {
    znodes.delete(path);
    return { kind, path, zxid, znode: null, stat: null, data: null };
  }
  const before = znodes.get(path);
  const hasData = kind === "created" || kind === "changed";
  const znode = hasData || before === undefined ? liveZnode({ ...message, stat: stat! }) : { ...before, stat: stat! };
  znodes.set(path, znode);
  return { kind, path, zxid, znode, stat: znode.stat, data: znode.data };
}

function liveZnode(node: SubscribedZnode): LiveZnode {
  const { path, data, data64, denied, stat } = node;
  return { path, data: data ?? null, bytes: data64 === undefined ? null : decodeBase64(data64), isDenied: denied === true, stat };
}
