/**
 * A port for operators, apart from the one that clients reach: health, readiness and metrics over plain HTTP.
 */
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigError } from "../config-error.ts";
import type { Http } from "./http.ts";

/** Connections at once, and how long one may take to ask, in milliseconds. */
const connectionsMax = 64;
const requestMsMax = 10_000;

export class AdminListener {
  readonly #server: http.Server;

  constructor(answer: Http) {
    const settings = { requestTimeout: requestMsMax, headersTimeout: requestMsMax, connectionsCheckingInterval: 1_000 };
    this.#server = http.createServer(settings, (request, response) => {
      const method = request.method ?? "GET";
      void Promise.resolve(answer(method, request.url ?? "/")).then(({ status, headers, body }) => {
        response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) });
        response.end(method === "HEAD" ? undefined : body);
      });
    });
    this.#server.maxConnections = connectionsMax;
  }

  /** Resolves to the port. @throws ConfigError where the address can't be used */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        reject(new ConfigError(`admin-listen: ${host}:${port} can't be used (${error.code})`));
      });
      this.#server.listen({ host, port }, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
