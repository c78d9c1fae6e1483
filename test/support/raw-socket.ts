/**
 * Below WebSocket: upgrades and frames byte by byte, as no library would send them.
 */
import { request } from "node:http";
import { connect, type Socket } from "node:net";

const handshake = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
} as const;
const upgradeText = ["GET /v1 HTTP/1.1", "Host: x", ...Object.entries(handshake).map(([name, value]) => `${name}: ${value}`), "", ""].join(
  "\r\n",
);

/** The HTTP status of an upgrade, 101 where it succeeds. */
export function upgrade(port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, headers: { ...handshake, ...headers } });
    asked.on("upgrade", (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    asked.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Sends text as it is, and gives all that comes back until the server ends the connection. */
export function answerTo(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => {
      received += String(chunk);
    });
    socket.on("error", reject).on("close", () => resolve(received));
  });
}

/** An upgraded connection, bare. */
export function upgraded(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(upgradeText));
    socket.once("error", reject);
    socket.once("data", () => resolve(socket));
  });
}

/** Sends bytes as they are after a good upgrade, and gives what the server's close frame says; 1006 where there is none. */
export async function closeCodeFor(port: number, bytes: Buffer): Promise<number> {
  const socket = await upgraded(port);
  let received = Buffer.alloc(0);
  return new Promise((resolve) => {
    socket.on("error", () => {}).on("close", () => resolve(1006));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received[0] !== 0x88 || received.length < 4) return;
      socket.destroy();
      resolve(received.readUInt16BE(2));
    });
    socket.write(bytes);
  });
}

/** A client frame, masked with zeros unless told otherwise. */
export function frame(opcode: number, payload: Buffer, { fin = true, isMasked = true, rsv = 0 } = {}): Buffer {
  const length = payload.length < 126 ? Buffer.from([payload.length]) : Buffer.from([126, payload.length >> 8, payload.length & 255]);
  length[0]! |= isMasked ? 0x80 : 0;
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | rsv | opcode]), length, Buffer.alloc(isMasked ? 4 : 0), payload]);
}
