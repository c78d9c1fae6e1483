/** The open connections of a listener by their numbers: what both transports do alike. */
import { type Chunk, encodeFrames } from "@copse/protocol";
import type { Gateway, Proof } from "@copse/replica";
import type { ListenerOptions } from "./client-listener.ts";
import { ClientSocket, type FrameSocket } from "./client-socket.ts";

export class ClientSockets implements Gateway {
  readonly #options: ListenerOptions;
  readonly #sockets: Map<number, ClientSocket> = new Map();
  readonly #addresses: Map<number, string> = new Map();
  #lastNumber = 0;
  readonly #looking: NodeJS.Timeout;
  /** The chunk sent last on its own, as bytes: a fan-out encodes once. */
  #encoded: { readonly chunk: Chunk; readonly bytes: Buffer } | null = null;
  readonly #encodeOnce = (chunk: Chunk): Buffer => {
    if (this.#encoded?.chunk !== chunk) this.#encoded = { chunk, bytes: Buffer.from(encodeFrames([chunk], 0)[0] ?? "", "utf8") };
    return this.#encoded.bytes;
  };

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { silenceMs } = options;
    this.#looking = setInterval(() => {
      const now = performance.now();
      for (const socket of this.#sockets.values()) socket.look(now, silenceMs);
    }, silenceMs / 4);
    this.#looking.unref();
  }

  /** Nothing is looked at any more. */
  protected rest(): void {
    clearInterval(this.#looking);
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** @param certificate what that of the client proves */
  add(
    socket: FrameSocket,
    address: string,
    certificate: Proof | null = null,
  ): { readonly client: ClientSocket; readonly closed: () => void } {
    const number = ++this.#lastNumber;
    const { submit, limits, doors } = this.#options;
    doors.opened(address);
    const client = new ClientSocket(number, socket, { address, certificate }, limits.unsentBytes, submit);
    this.#sockets.set(number, client);
    this.#addresses.set(number, address);
    const closed = (): void => {
      if (!this.#sockets.delete(number)) return;
      this.#addresses.delete(number);
      doors.closed(address);
      client.closed();
    };
    return { client, closed };
  }

  terminate(): void {
    for (const socket of [...this.#sockets.values()]) socket.terminate();
  }

  deliver(connection: number, chunks: readonly Chunk[]): number {
    return this.#sockets.get(connection)?.deliver(chunks, this.#encodeOnce) ?? 0;
  }

  unsent(connection: number): number {
    return this.#sockets.get(connection)?.unsentBytes ?? 0;
  }

  close(connection: number, code: number, reason: string): void {
    this.#sockets.get(connection)?.close(code, reason);
  }

  authenticate(...[connection, ticket, credentials, proved]: Parameters<Gateway["authenticate"]>): void {
    const { salt, submit, prover } = this.#options;
    prover.prove({
      credentials,
      proved,
      salt: salt(),
      address: this.#addresses.get(connection) ?? "",
      isWanted: () => this.#sockets.has(connection),
      done: (outcome) => submit({ kind: "authenticated", connection, ticket, outcome }),
    });
  }
}
