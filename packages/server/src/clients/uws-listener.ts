/**
 * Clients over uWebSockets.js: the same contract for a third of the cost of a frame.
 *
 * Invariants: a socket is never touched once its close was told; the bytes of a message die when its handler returns, so they
 * are text by then. What it can't do as `ws` does: a frame that breaks RFC 6455, bad UTF-8 or a message far over the limit
 * ends the connection without a close frame (1006); headers that drip end it without a status; a frame without a mask is read as
 * if it had one, and what that gives is no message (4400).
 */

import { STATUS_CODES } from "node:http";
import { closeCode, subprotocol } from "@copse/protocol";
import { endpoint, type HttpAnswer } from "../http/http.ts";
import { type ClientListener, drained, type ListenerOptions, leavingMax, refusalOf } from "./client-listener.ts";
import type { ClientSocket, FrameSocket } from "./client-socket.ts";
import { ClientSockets } from "./client-sockets.ts";
import { freePort } from "./no-listener.ts";
import type { UwsApp, UwsModule, UwsRequest, UwsResponse, UwsSocket } from "./uws.ts";
import { addressRefused, closeMsMax, headerBytesMax } from "./ws-listener.ts";

interface Upgraded {
  readonly address: string;
  /** A page that is let in to be told this, and closed; null for all others. */
  readonly retry: string | null;
  client: ClientSocket | null;
  closed: () => void;
}

/** Whether others may listen on the port: sockets are then dealt out by the system. */
const [shared, exclusive] = [0, 1];
/** A message may be so many times our limit before the transport itself ends the connection: below, we close it in words. */
const payloadFactor = 2;
/** Unsent bytes beyond our own limit at which the transport itself ends the connection: one frame of ours always fits. */
const backpressureBytesSpare = 33_554_432;

export class UwsListener extends ClientSockets implements ClientListener {
  readonly #options: ListenerOptions;
  readonly #uws: UwsModule;
  readonly #app: UwsApp;
  #listening: unknown = null;
  /** Pages that were let in to be told when to come back. */
  #leaving = 0;

  constructor(options: ListenerOptions, uws: UwsModule) {
    super(options);
    this.#options = options;
    this.#uws = uws;
    const { frameBytes } = options.limits;
    this.#app = uws.App();
    this.#app.ws<Upgraded>(endpoint, {
      compression: 0,
      maxPayloadLength: frameBytes * payloadFactor,
      maxBackpressure: options.limits.unsentBytes + backpressureBytesSpare,
      closeOnBackpressureLimit: true,
      idleTimeout: 0,
      sendPingsAutomatically: false,
      upgrade: (response, request, context) => this.#upgrade(response, request, context),
      open: (socket) => this.#open(socket),
      message: (socket, message, isBinary) => {
        const { client } = socket.getUserData();
        if (message.byteLength > frameBytes) client?.close(closeCode.frameTooLarge, "the frame is too large");
        else client?.take(isBinary ? null : Buffer.from(message).toString("utf8"));
      },
      ping: (socket) => void socket.getUserData().client?.pinged(),
      pong: (socket) => socket.getUserData().client?.heard(),
      drain: (socket) => socket.getUserData().client?.sent(),
      close: (socket) => socket.getUserData().closed(),
    });
    this.#app.any("/*", (response, request) => this.#answer(response, request));
  }

  async listen(host: string, port: number): Promise<number> {
    const { sharesPort = false } = this.#options;
    // It says that it can't listen, and not why.
    if (port !== 0 && !sharesPort) await freePort(host, port);
    const listening = await new Promise<unknown>((resolve) => this.#app.listen(host, port, sharesPort ? shared : exclusive, resolve));
    if (listening === false || listening === null || listening === undefined) throw addressRefused(host, port, "EADDRINUSE");
    this.#listening = listening;
    return this.#uws.us_socket_local_port(listening);
  }

  /** It serves no TLS. */
  renew(): void {}

  async stop(waitMs: number): Promise<void> {
    this.rest();
    if (this.#listening !== null) this.#uws.us_listen_socket_close(this.#listening);
    this.#listening = null;
    await drained(() => this.size, waitMs);
    this.#app.close();
  }

  #upgrade(response: UwsResponse, request: UwsRequest, context: unknown): void {
    const header = (name: string): string | undefined => request.getHeader(name) || undefined;
    const offered = header("sec-websocket-protocol");
    const key = header("sec-websocket-key") ?? "";
    const isWellFormed = header("sec-websocket-version") === "13" && /^[A-Za-z0-9+/]{22}==$/.test(key);
    const headers = { forwarded: header("forwarded"), xForwardedFor: header("x-forwarded-for") };
    const address = this.#options.proxies.clientOf(addressOf(response.getRemoteAddress()), headers);
    const upgrade = { path: request.getUrl(), query: request.getQuery() ?? "", address, origin: header("origin"), offered };
    const isLong = headerBytes(request) > headerBytesMax;
    if (isLong) return refuse(response, 431);
    const refusal = refusalOf(upgrade, this.#options);
    const retry = refusal !== null && isWellFormed && this.#leaving < leavingMax ? refusal.retry : null;
    if (refusal !== null && retry === null) return refuse(response, refusal.status);
    if (!isWellFormed) return refuse(response, 400);
    const upgraded: Upgraded = { address, retry, client: null, closed: () => {} };
    response.upgrade(upgraded, key, offered === undefined ? "" : subprotocol, "", context);
  }

  #open(socket: UwsSocket<Upgraded>): void {
    const upgraded = socket.getUserData();
    if (upgraded.retry !== null) {
      this.#leaving++;
      const timer = setTimeout(() => socket.close(), closeMsMax);
      upgraded.closed = () => {
        clearTimeout(timer);
        this.#leaving--;
      };
      return socket.end(closeCode.tooMuch, upgraded.retry);
    }
    const { client, closed } = this.add(new OpenUwsSocket(socket), upgraded.address);
    upgraded.client = client;
    upgraded.closed = closed;
  }

  #answer(response: UwsResponse, request: UwsRequest): void {
    const isElsewhere = request.getUrl() !== endpoint && request.getHeader("upgrade").toLowerCase() === "websocket";
    if (isElsewhere) return refuse(response, this.#options.doors.refused("path", 404));
    const method = request.getMethod().toUpperCase();
    const query = request.getQuery() ?? "";
    const answer = this.#options.http(method, query === "" ? request.getUrl() : `${request.getUrl()}?${query}`);
    if (!(answer instanceof Promise)) return write(response, method, answer);
    let isAborted = false;
    response.onAborted(() => {
      isAborted = true;
    });
    void answer.then((late) => isAborted || response.cork(() => write(response, method, late)));
  }
}

class OpenUwsSocket implements FrameSocket {
  readonly #socket: UwsSocket<Upgraded>;

  constructor(socket: UwsSocket<Upgraded>) {
    this.#socket = socket;
  }

  get unsentBytes(): number {
    return this.#socket.getBufferedAmount();
  }

  send(frame: string | Buffer): number {
    const outcome = this.#socket.send(frame, false);
    if (outcome === 1) return 0;
    if (outcome !== 2) return this.#socket.getBufferedAmount();
    // Dropped: what follows would not fit to what is missing.
    this.#socket.close();
    return 0;
  }

  ping(): void {
    this.#socket.ping();
  }

  close(code: number, reason: string): void {
    this.#socket.end(code, reason);
  }

  terminate(): void {
    this.#socket.close();
  }
}

function headerBytes(request: UwsRequest): number {
  let bytes = 0;
  request.forEach((name, value) => {
    bytes += name.length + value.length;
  });
  return bytes;
}

function write(response: UwsResponse, method: string, { status, headers, body }: HttpAnswer): void {
  response.writeStatus(`${status} ${STATUS_CODES[status] ?? ""}`);
  for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
  // With a length as its argument it does not end the response, and the process with it.
  if (method === "HEAD") response.writeHeader("Content-Length", String(Buffer.byteLength(body))).endWithoutBody();
  else response.end(body);
}

function refuse(response: UwsResponse, status: number): void {
  response.writeStatus(`${status} ${STATUS_CODES[status] ?? ""}`);
  if (status === 503 || status === 429) response.writeHeader("Retry-After", "1");
  response.writeHeader("Content-Type", "text/plain").end(STATUS_CODES[status] ?? "", true);
}

/** An address from its bytes; an IPv4 one that came as IPv6 is an IPv4 one. */
function addressOf(raw: ArrayBuffer): string {
  const bytes = Buffer.from(raw);
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return "";
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  if (isMapped) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
