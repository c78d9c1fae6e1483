/** One connection between a client and a member. */
import type { ClientPorts, SocketEvents } from "@copse/client";
import type { SimulatedMember } from "./simulated-member.ts";

export interface ClientConnection {
  readonly number: number;
  readonly node: SimulatedMember;
  /** The run of the process that it belongs to. */
  readonly life: number;
  /** Whose it is: the ports that dialled. */
  readonly client: ClientPorts;
  readonly events: SocketEvents;
  isOpen: boolean;
  /** When what travels each way arrives: frames keep their order. */
  toServerAt: number;
  toClientAt: number;
}
