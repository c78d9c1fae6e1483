/**
 * Reads that wait until their leader has proved that it still is one (dissertation, section 6.4).
 *
 * Invariant: a read is answered with the commit index of the moment it was asked, once a quorum has acknowledged a heartbeat
 * that was sent after it; what was asked before it is answered with it.
 */
import type { MemberId } from "../entry.ts";
import type { Message } from "../message.ts";

interface Waiting {
  readonly request: Message;
  readonly index: number;
  readonly acks: Map<MemberId, boolean>;
}

export class ReadIndex {
  readonly #waiting: Map<string, Waiting> = new Map();

  /** The context of the newest read that waits, or "". */
  get newest(): string {
    return [...this.#waiting.keys()].pop() ?? "";
  }

  add(request: Message, index: number, self: MemberId): void {
    if (!this.#waiting.has(request.context)) this.#waiting.set(request.context, { request, index, acks: new Map([[self, true]]) });
  }

  /** Who has acknowledged the heartbeat of this context so far, with one more. */
  acknowledge(member: MemberId, context: string): ReadonlyMap<MemberId, boolean> {
    const waiting = this.#waiting.get(context);
    waiting?.acks.set(member, true);
    return waiting?.acks ?? new Map();
  }

  /** Takes the read of this context and all asked before it. */
  release(context: string): readonly Waiting[] {
    if (!this.#waiting.has(context)) return [];
    const released: Waiting[] = [];
    for (const [known, waiting] of this.#waiting) {
      released.push(waiting);
      this.#waiting.delete(known);
      if (known === context) break;
    }
    return released;
  }
}
