/**
 * Client connections over `ws`: the upgrade, its refusals, and the Gateway that the loop sends through.
 */
import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type Chunk, encodeFrames, type Limits, subprotocol } from "@copse/protocol";
import type { Gateway, Input } from "@copse/replica";
import { WebSocketServer } from "ws";
import { ClientSocket } from "./client-socket.ts";
import type { CredentialProver } from "./credentials.ts";
import type { OriginList } from "./origin.ts";
import type { TokenBucket } from "./token-bucket.ts";

/** Fragments of one message: a whole message is one frame in every client we know of. */
const fragmentsMax = 64;
/** The path of the WebSocket endpoint. */
export const endpoint = "/v1";

export interface WsListenerOptions {
  readonly limits: Limits;
  readonly cluster: () => string;
  readonly origins: OriginList;
  readonly submit: (input: Input) => void;
  readonly prover: CredentialProver;
  readonly handshakes: TokenBucket;
}

export class WsListener implements Gateway {
  readonly #options: WsListenerOptions;
  readonly #sockets: Map<number, ClientSocket> = new Map();
  readonly #server: WebSocketServer;
  #lastNumber = 0;
  #isStopping = false;
  /** The chunk sent last on its own, as bytes: a fan-out encodes once. */
  #encoded: { readonly chunk: Chunk; readonly bytes: Buffer } | null = null;

  constructor(options: WsListenerOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.limits.frameBytes,
      maxFragments: fragmentsMax,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#server.on("wsClientError", (_error, socket) => refuseUpgrade(socket, 400));
  }

  /** Takes an HTTP upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request);
    if (refusal !== null) return refuseUpgrade(socket, refusal);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const number = ++this.#lastNumber;
      const address = plainAddress(request.socket.remoteAddress);
      const client = new ClientSocket(number, webSocket, address, this.#options.submit, () => this.#sockets.delete(number));
      this.#sockets.set(number, client);
    });
  }

  deliver(connection: number, chunks: readonly Chunk[]): number {
    return this.#sockets.get(connection)?.deliver(chunks, (chunk) => this.#encodeOnce(chunk)) ?? 0;
  }

  close(connection: number, code: number, reason: string): void {
    this.#sockets.get(connection)?.close(code, reason);
  }

  authenticate(connection: number, ticket: number, credentials: Parameters<Gateway["authenticate"]>[2]): void {
    const { cluster, submit, prover } = this.#options;
    prover.prove(
      credentials,
      cluster(),
      () => this.#sockets.has(connection),
      (identities) => submit({ kind: "authenticated", connection, ticket, identities }),
    );
  }

  /** Accepts no more connections, and resolves once those there are have closed. */
  async stop(waitMs: number): Promise<void> {
    this.#isStopping = true;
    const until = performance.now() + waitMs;
    while (this.#sockets.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const socket of this.#sockets.values()) socket.terminate();
  }

  #refusal(request: IncomingMessage): number | null {
    if (this.#isStopping || !this.#options.handshakes.take()) return 503;
    if (request.url?.split("?", 1)[0] !== endpoint) return 404;
    const { origin } = request.headers;
    if (!this.#options.origins.allows(origin)) return 403;
    const offered = request.headers["sec-websocket-protocol"];
    if (offered !== undefined && !offered.split(",").some((name) => name.trim() === subprotocol)) return 400;
    return null;
  }

  #encodeOnce(chunk: Chunk): Buffer {
    if (this.#encoded?.chunk !== chunk) this.#encoded = { chunk, bytes: Buffer.from(encodeFrames([chunk], 0)[0] ?? "", "utf8") };
    return this.#encoded.bytes;
  }
}

function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:/, "").replace(/%.*$/, "");
}

/** Ends an upgrade with an HTTP status, before there is a WebSocket. */
export function refuseUpgrade(socket: Duplex, status: number): void {
  const text = STATUS_CODES[status] ?? "";
  socket.once("finish", () => socket.destroy());
  socket.on("error", () => {}); // The peer may be gone already; there is nobody left to tell.
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nConnection: close\r\n${status === 503 ? "Retry-After: 1\r\n" : ""}Content-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}
