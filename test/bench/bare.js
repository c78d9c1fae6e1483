/**
 * What carries frames, and nothing else: the limit of what a hub can do, as a server for `load.js`.
 *
 *   node bare.js uws-publish|uws-send|ws|net PORT
 *
 * Every request is parsed and answered; a get with what a hub's answer holds, a set by telling all who subscribed, in one frame that is
 * encoded once. There is no tree, no order, no disk, no limit. `uws-publish` tells them by a topic, `uws-send` one by one.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { findUws } from "@copse/server";
import { WebSocketServer } from "ws";

const [kind, port] = [process.argv[2], Number(process.argv[3])];
const stat = {
  czxid: 1,
  mzxid: 2,
  pzxid: 3,
  ctime: 1,
  mtime: 2,
  version: 3,
  cversion: 4,
  aversion: 5,
  ephemeralOwner: null,
  dataLength: 6,
};
/** What follows the id in the answer to a get. */
const stored = `,"zxid":1,"data":"${"x".repeat(100)}","stat":${JSON.stringify(stat)}}`;
let zxid = 0;

/** @param {{ send(text: string): void }} socket @param {(text: string) => void} tell all who subscribed */
function answer(text, socket, subscribe, tell) {
  const { id, op, path, data } = JSON.parse(text);
  if (op === "subscribe") subscribe();
  if (op === "set") tell(JSON.stringify({ sub: 1, zxid: ++zxid, change: "changed", path, data, stat }));
  socket.send(op === "get" ? `{"id":${id}${stored}` : `{"id":${id},"zxid":${zxid}}`);
}

async function serveUws() {
  const uws = await findUws();
  if (typeof uws === "string") throw new Error(uws);
  const subscribers = new Set();
  const app = uws.App();
  const one = (text) => {
    for (const socket of subscribers) socket.send(text, false);
  };
  const tell = kind === "uws-publish" ? (text) => app.publish("all", text, false) : one;
  app.ws("/*", {
    maxBackpressure: 67_108_864,
    idleTimeout: 0,
    message: (socket, message) => {
      const subscribe = () => (kind === "uws-publish" ? socket.subscribe("all") : subscribers.add(socket));
      answer(Buffer.from(message).toString(), socket, subscribe, tell);
    },
    close: (socket) => subscribers.delete(socket),
  });
  app.listen("127.0.0.1", port, () => {});
}

function serveWs() {
  const subscribers = new Set();
  const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false });
  const tell = (text) => {
    const bytes = Buffer.from(text);
    for (const one of subscribers) one.send(bytes, { binary: false });
  };
  server.on("connection", (socket) => {
    socket.on("message", (message) => answer(String(message), socket, () => subscribers.add(socket), tell));
    socket.on("close", () => subscribers.delete(socket));
  });
}

function framed(text) {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, payload]);
}

/** Only what `RawConnection` sends: frames up to 64 KiB, masked with zeros. */
function serveNet() {
  const subscribers = new Set();
  const tell = (text) => {
    const bytes = framed(text);
    for (const one of subscribers) one.write(bytes);
  };
  createServer({ noDelay: true }, (socket) => {
    let rest = Buffer.alloc(0);
    let isUp = false;
    const face = { send: (text) => socket.write(framed(text)) };
    socket.on("error", () => {});
    socket.on("close", () => subscribers.delete(socket));
    socket.on("data", (chunk) => {
      let bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      if (!isUp) {
        const end = bytes.indexOf("\r\n\r\n");
        if (end < 0) return;
        const key = /sec-websocket-key: (\S+)/i.exec(String(bytes.subarray(0, end)))?.[1] ?? "";
        const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        isUp = true;
        bytes = bytes.subarray(end + 4);
      }
      socket.cork();
      for (;;) {
        const isLong = bytes.length >= 4 && (bytes[1] & 127) === 126;
        const head = isLong ? 8 : 6;
        if (bytes.length < head) break;
        const length = isLong ? bytes.readUInt16BE(2) : bytes[1] & 127;
        if (bytes.length < head + length) break;
        answer(bytes.toString("utf8", head, head + length), face, () => subscribers.add(socket), tell);
        bytes = bytes.subarray(head + length);
      }
      socket.uncork();
      rest = bytes;
    });
  }).listen(port, "127.0.0.1");
}

if (kind === "ws") serveWs();
else if (kind === "net") serveNet();
else await serveUws();
