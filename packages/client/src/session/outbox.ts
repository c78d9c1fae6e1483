/**
 * Requests without an answer: what makes writes exactly-once over reconnects.
 *
 * Invariants: ids grow over the life of a session; after a resume every unanswered request is sent again, in order, a
 * write under the id it had; a write that was sent and then given up (aborted, timed out) stays here, because later
 * writes name it as their predecessor. What restores a connection goes before all else and is not kept over its end.
 * Nothing is sent that the server's announced limits would close the connection for.
 */
import type { Reply } from "@copse/protocol";
import { encodeBase64 } from "../calls/base64.ts";
import { CopseError } from "../errors.ts";

export interface Pending {
  readonly id: number;
  readonly kind: "write" | "read" | "restoring";
  readonly message: Record<string, unknown>;
  /** On this client's clock; undefined until it was sent. */
  sentAt: number | undefined;
  /** What it takes of `receivedBytes`; undefined until it was sent. */
  bytes?: number;
  readonly settle: (reply: Reply | CopseError) => void;
}

/** What the server takes from one connection. */
export interface WireLimits {
  readonly frameBytes: number;
  /** Unanswered requests, and their bytes. */
  readonly requests: number;
  readonly receivedBytes?: number;
}

/** Requests that may wait for an answer at once; more are refused with OVERLOADED. */
const pendingMax = 100_000;
/** Unanswered requests that are left free on the wire: for pings, and the connect itself. */
const requestsSpare = 4;
/** The share of the server's bytes that is used: what it weighs beside the text is not known here. */
const bytesShare = 0.5;
const utf8 = new TextEncoder();

export class Outbox {
  /** By id, in the order of ids. */
  readonly #pending: Map<number, Pending> = new Map();
  /** What waits for room on the wire: what restores the connection, then the others. */
  #restoring: Pending[] = [];
  #unsent: Pending[] = [];
  /** Reads that were sent and that nobody waits for. */
  readonly #givenUp: Set<number> = new Set();
  #inFlight = 0;
  #bytesInFlight = 0;
  #unrestored = 0;
  #lastId = 0;
  #ack = 0;

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  /** True while an answer to what restores the connection is missing. */
  get isRestoring(): boolean {
    return this.#unrestored > 0;
  }

  /** Adds a request; `flush` sends it. What restores a connection is always taken. @throws CopseError OVERLOADED */
  add(message: Record<string, unknown>, kind: Pending["kind"], settle: Pending["settle"]): Pending {
    if (kind !== "restoring" && this.#pending.size >= pendingMax)
      throw new CopseError("OVERLOADED", `${pendingMax} requests wait for an answer`);
    const pending: Pending = { id: ++this.#lastId, kind, message, sentAt: undefined, settle };
    this.#pending.set(pending.id, pending);
    if (kind === "restoring") {
      this.#unrestored++;
      this.#restoring.push(pending);
    } else this.#unsent.push(pending);
    return pending;
  }

  /**
   * Nobody waits for it any more. What was never sent never will be; a read that was sent is not sent again; a write that was
   * sent stays, because it may have been done and later writes name it as their predecessor.
   */
  giveUp(pending: Pending): void {
    if (pending.sentAt === undefined) this.#forget(pending);
    else if (pending.kind === "read") this.#givenUp.add(pending.id);
  }

  /** An id for a request that is not kept: connect, ping. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** The frames to send now: as many requests as the server takes, in frames of the size it takes. */
  flush(now: number, limits: WireLimits): string[] {
    const frames: string[] = [];
    let texts: string[] = [];
    let bytes = 2;
    const close = (): void => {
      if (texts.length > 0) frames.push(texts.length === 1 ? texts[0]! : `[${texts.join(",")}]`);
      texts = [];
      bytes = 2;
    };
    const bytesMax = (limits.receivedBytes ?? Number.POSITIVE_INFINITY) * bytesShare;
    while (this.#inFlight < Math.max(1, limits.requests - requestsSpare) && (this.#inFlight === 0 || this.#bytesInFlight < bytesMax)) {
      const pending = this.#restoring.shift() ?? this.#unsent.shift();
      if (pending === undefined) break;
      if (!this.#pending.has(pending.id)) continue;
      const ack = pending.kind === "write" && this.#ack > 0 ? { ack: this.#ack } : {};
      let text = JSON.stringify({ id: pending.id, ...pending.message, ...ack });
      let size = sizeOf(text) + 1;
      if (size + 2 > limits.frameBytes) {
        // Text that is mostly escapes is shorter as base64; what the znode holds is the same.
        text = JSON.stringify({ id: pending.id, ...pending.message, ...ack }, asBase64);
        size = sizeOf(text) + 1;
      }
      if (size + 2 > limits.frameBytes) {
        this.#forget(pending);
        pending.settle(new CopseError("TOO_LARGE", `the request is over ${limits.frameBytes} bytes`));
        continue;
      }
      if (bytes + size > limits.frameBytes) close();
      texts.push(text);
      bytes += size;
      this.#inFlight++;
      this.#bytesInFlight += size;
      pending.bytes = size;
      pending.sentAt = now;
    }
    close();
    return frames;
  }

  /** The request of this id, if it still waits. */
  find(id: number): Pending | undefined {
    return this.#pending.get(id);
  }

  /** Takes the request that a reply belongs to. */
  take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#forget(pending);
    this.#inFlight--;
    this.#bytesInFlight -= pending.bytes ?? 0;
    if (pending.kind === "write") this.#ack = id;
    return pending;
  }

  /** The connection is lost: everything unanswered is to be sent again, but for what was to restore it. */
  rewind(): void {
    this.#inFlight = 0;
    this.#bytesInFlight = 0;
    this.#unrestored = 0;
    this.#restoring = [];
    for (const [id, { kind }] of this.#pending) if (kind === "restoring" || this.#givenUp.has(id)) this.#pending.delete(id);
    this.#givenUp.clear();
    this.#unsent = [...this.#pending.values()];
  }

  /** New ids go above the session's highest write. */
  raise(lastId: number): void {
    this.#lastId = Math.max(this.#lastId, lastId);
  }

  /** The session is gone: its writes can't be sent again. Reads stay, for the next session. */
  dropWrites(): Pending[] {
    const writes = [...this.#pending.values()].filter(({ kind }) => kind === "write");
    for (const { id } of writes) this.#pending.delete(id);
    this.#ack = 0;
    this.rewind();
    return writes;
  }

  /** The client is closed: takes everything. */
  dropAll(): Pending[] {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    this.rewind();
    return all;
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending.id);
    this.#givenUp.delete(pending.id);
    if (pending.kind === "restoring") this.#unrestored--;
  }
}

/** For JSON.stringify: a request, or an op of one, with its text as `data64`. */
function asBase64(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || typeof (value as { data?: unknown }).data !== "string") return value;
  const { data, ...rest } = value as { data: string };
  return { ...rest, data64: encodeBase64(utf8.encode(data)) };
}

/** Bytes in UTF-8: counted only where they could matter. */
function sizeOf(text: string): number {
  return text.length < 65_536 ? text.length * 3 : utf8.encode(text).length;
}
