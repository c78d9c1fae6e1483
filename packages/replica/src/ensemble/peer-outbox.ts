/** What leaves for each peer at the end of a turn: all of it in one frame. */
import type { PeerMessage } from "./peer-message.ts";

export class PeerOutbox {
  #messages: Map<string, PeerMessage[]> = new Map();

  add(to: string, message: PeerMessage): void {
    const messages = this.#messages.get(to);
    if (messages === undefined) this.#messages.set(to, [message]);
    else messages.push(message);
  }

  /** Takes what was gathered, and begins anew. */
  take(): Iterable<readonly [to: string, messages: readonly PeerMessage[]]> {
    const messages = this.#messages;
    if (messages.size > 0) this.#messages = new Map();
    return messages;
  }
}
