/** A network between two ends that can be unplugged: what travels through it ends at once, and nobody gets through until it is plugged in. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Relay {
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  #isCut = false;
  #isHole = false;
  #isHoleForNew = false;
  /** The port that it leads to, on the loopback. */
  to = 0;

  constructor() {
    this.#server = createServer((near) => {
      if (this.#isCut) {
        near.destroy();
        return;
      }
      const far = connect(this.to, "127.0.0.1");
      const isNew = this.#isHoleForNew;
      this.#join(near, far, isNew);
      this.#join(far, near, isNew);
    });
  }

  /** Gives the port to connect to. */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
    this.#isHole = false;
    this.#isHoleForNew = false;
  }

  /** What is sent through it is taken and goes nowhere, and nobody is told. */
  swallow(): void {
    this.#isHole = true;
  }

  /** The same for connections that are still to come; those that stand go on. */
  swallowNew(): void {
    this.#isHoleForNew = true;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(from: Socket, into: Socket, isLost: boolean): void {
    this.#sockets.add(from);
    // A broken end ends the other; there is nothing to be done about its error.
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      into.destroy();
    });
    from.on("data", (chunk) => {
      if (!this.#isHole && !isLost && !into.write(chunk)) from.pause();
    });
    into.on("drain", () => from.resume());
    from.on("end", () => into.end());
  }
}
