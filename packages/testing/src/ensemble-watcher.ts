/** What may be looked at from outside while an ensemble runs: every turn, every message, every frame. */
import type { PeerMessage } from "@copse/replica";
import type { ClientConnection } from "./client-connection.ts";
import type { SimulatedMember } from "./simulated-member.ts";

export interface EnsembleWatcher {
  /** A member has ended a turn of its loop. */
  turned(node: SimulatedMember): void;
  /** A message leaves a member for another. */
  sent(from: SimulatedMember, to: string, message: PeerMessage): void;
  /** Frames on a client's connection. */
  toServer(connection: ClientConnection, text: string): void;
  toClient(connection: ClientConnection, text: string): void;
}
