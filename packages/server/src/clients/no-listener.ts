/** For a member whose clients are carried by edges of its own, in other processes: it holds the port for nobody, and makes sure that it is free. */

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import type { ClientListener } from "./client-listener.ts";
import { addressRefused } from "./ws-listener.ts";

export class NoListener implements ClientListener {
  /** Resolves to the port, which nobody listens on at that moment. @throws ConfigError where somebody does */
  listen(host: string, port: number): Promise<number> {
    return freePort(host, port);
  }

  deliver(): number {
    return 0;
  }

  unsent(): number {
    return 0;
  }

  close(): void {}

  authenticate(): void {}

  renew(): void {}

  async stop(): Promise<void> {}
}

/** Fails as a listener of Node's does, where the address can't be used; else gives the port, or a free one for 0. */
export function freePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => reject(addressRefused(host, port, error.code ?? "")));
    server.listen({ host, port, exclusive: true }, () => {
      const { port: found } = server.address() as AddressInfo;
      server.close(() => resolve(found));
    });
  });
}
