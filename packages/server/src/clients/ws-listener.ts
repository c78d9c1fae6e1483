/**
 * Clients over Node's own HTTP server and `ws`: the transport that runs everywhere.
 */
import * as http from "node:http";
import { STATUS_CODES } from "node:http";
import * as https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { closeCode, subprotocol } from "@copse/protocol";
import type { Proof } from "@copse/replica";
import { type WebSocket, WebSocketServer } from "ws";
import type { ClientTls } from "../config.ts";
import { ConfigError } from "../config-error.ts";
import { certificateProof } from "../credentials/certificate.ts";
import type { HttpAnswer } from "../http/http.ts";
import { type ClientListener, drained, type ListenerOptions, leavingMax, refusalOf, type UpgradeRefusal } from "./client-listener.ts";
import type { FrameSocket } from "./client-socket.ts";
import { ClientSockets } from "./client-sockets.ts";

/** Fragments of one message: a whole message is one frame in every client we know of. */
const fragmentsMax = 64;
/** Bytes of an upgrade's headers. */
export const headerBytesMax: number = 16_384;
const headersMsMax = 10_000;
/** Connections that wait to be accepted: a burst of 2 000 is no reason to refuse any. */
const backlogMax = 4_096;
/** How long a peer may take to answer our close, in milliseconds. */
export const closeMsMax = 5_000;
/** A socket that asks for pages and takes nothing of an answer for so long is cut, in milliseconds: longer than headers may take. */
const stillMsMax = 15_000;

const settings: http.ServerOptions = {
  maxHeaderSize: headerBytesMax,
  headersTimeout: headersMsMax,
  requestTimeout: headersMsMax,
  connectionsCheckingInterval: 1_000,
};

export class WsListener extends ClientSockets implements ClientListener {
  readonly #options: ListenerOptions;
  readonly #web: http.Server;
  readonly #upgrades: WebSocketServer;
  /** What is to be called once a plain socket is one no more. */
  readonly #plain: WeakMap<object, () => void> = new WeakMap();
  /** Pages that were let in to be told when to come back. */
  #leaving = 0;

  constructor(options: ListenerOptions) {
    super(options);
    this.#options = options;
    const { tls } = options;
    this.#web = tls === null ? http.createServer(settings) : https.createServer({ ...settings, ...contextOf(tls) });
    // Sockets that are no WebSocket yet, or never will be, take descriptors too.
    this.#web.maxConnections = options.doors.limits.connections;
    this.#web.timeout = stillMsMax;
    this.#web.on(tls === null ? "connection" : "secureConnection", (socket: Socket) => this.#enter(socket));
    this.#upgrades = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: options.limits.frameBytes,
      maxFragments: fragmentsMax,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#upgrades.on("wsClientError", (_error, socket) => refuseUpgrade(socket, 400));
    this.#web.on("request", (request, response) => void this.#answer(request, response));
    this.#web.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#web.once("error", (error: NodeJS.ErrnoException) => reject(addressRefused(host, port, error.code ?? "")));
      this.#web.listen({ port, host, backlog: backlogMax }, () => resolve((this.#web.address() as AddressInfo).port));
    });
  }

  renew(tls: ClientTls): void {
    (this.#web as https.Server).setSecureContext(contextOf(tls));
  }

  async stop(waitMs: number): Promise<void> {
    this.rest();
    const closed = new Promise<void>((resolve) => this.#web.close(() => resolve()));
    await drained(() => this.size, waitMs);
    this.terminate();
    this.#web.closeAllConnections();
    await closed;
  }

  /** A socket that asks for pages may be held as long as one likes to read: an address has a share of them, too. */
  #enter(socket: Socket): void {
    const { doors, proxies } = this.#options;
    const address = plainAddress(socket.remoteAddress);
    if (proxies.trusts(address)) return;
    if (!doors.entered(address)) return void socket.destroy();
    let isPlain = true;
    const left = (): void => {
      if (isPlain) doors.left(address);
      isPlain = false;
    };
    socket.once("close", left);
    this.#plain.set(socket, left);
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const method = request.method ?? "GET";
    const { status, headers, body }: HttpAnswer = await this.#options.http(method, request.url ?? "/");
    response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) });
    response.end(method === "HEAD" ? undefined : body);
  }

  #upgrade(request: http.IncomingMessage, socket: Duplex, head: Buffer): void {
    const { origin, "sec-websocket-protocol": offered, forwarded, "x-forwarded-for": forwardedFor } = request.headers;
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    const headers = { forwarded: joined(forwarded), xForwardedFor: joined(forwardedFor) };
    const address = this.#options.proxies.clientOf(plainAddress(request.socket.remoteAddress), headers);
    const refusal = refusalOf({ path, query, address, origin, offered }, this.#options);
    if (refusal !== null) return this.#refuse(request, socket, head, refusal);
    const certificate = this.#options.tls?.clientCa === undefined ? null : certificateProof(request.socket as TLSSocket);
    if (certificate === "wrong") return refuseUpgrade(socket, this.#options.doors.refused("certificate", 403));
    this.#upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      this.#plain.get(socket)?.();
      this.#open(webSocket, address, certificate === null ? null : this.#options.prover.withAdmin(certificate));
    });
  }

  /** A page is let in to be told when to come back; few at a time, and nobody else hears of them. */
  #refuse(request: http.IncomingMessage, socket: Duplex, head: Buffer, { status, retry }: UpgradeRefusal): void {
    if (retry === null || this.#leaving >= leavingMax) return refuseUpgrade(socket, status);
    this.#leaving++;
    socket.once("close", () => this.#leaving--);
    this.#upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("error", () => {});
      new WsSocket(webSocket, () => {}).close(closeCode.tooMuch, retry);
    });
  }

  #open(webSocket: WebSocket, address: string, certificate: Proof | null): void {
    const { client, closed } = this.add(new WsSocket(webSocket, () => client.sent()), address, certificate);
    webSocket.on("message", (bytes, isBinary) => client.take(isBinary ? null : bytes.toString()));
    webSocket.on("ping", (data) => client.pinged() && webSocket.pong(data));
    webSocket.on("pong", () => client.heard());
    webSocket.on("close", closed);
    // ws closes the connection itself, with the code that belongs to the error.
    webSocket.on("error", () => {});
  }
}

class WsSocket implements FrameSocket {
  readonly #socket: WebSocket;
  readonly #onSent: () => void;

  constructor(socket: WebSocket, onSent: () => void) {
    this.#socket = socket;
    this.#onSent = onSent;
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: string | Buffer): number {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(frame, { binary: false }, this.#onSent);
    return this.#socket.bufferedAmount;
  }

  ping(): void {
    this.#socket.ping();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), closeMsMax);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

/** Whoever has no certificate is asked for one and let in without: a browser has none. */
function contextOf({ cert, key, clientCa }: ClientTls): https.ServerOptions {
  return clientCa === undefined ? { cert, key } : { cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: false };
}

/** What is said of an address that can't be listened on. */
export function addressRefused(host: string, port: number, code: string): ConfigError {
  return new ConfigError(`listen: ${host}:${port} ${code === "EADDRINUSE" ? "is in use by another process" : `can't be used (${code})`}`);
}

function joined(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(",") : header;
}

function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:/, "").replace(/%.*$/, "");
}

/** Ends an upgrade with an HTTP status, before there is a WebSocket. */
function refuseUpgrade(socket: Duplex, status: number): void {
  const text = STATUS_CODES[status] ?? "";
  socket.once("finish", () => socket.destroy());
  socket.on("error", () => {}); // The peer may be gone already; there is nobody left to tell.
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nConnection: close\r\n${status === 503 || status === 429 ? "Retry-After: 1\r\n" : ""}Content-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}
