/**
 * A WebSocket connection that costs the load generator as little as can be: raw frames, prepared bytes, replies counted.
 *
 * It knows the contract only as far as it has to: a reply begins with `{"id":`, a message for a subscription with
 * `{"sub":`, a watch event with `{"event":`. Replies come in the order of requests, so the oldest send time is theirs.
 */
import net from "node:net";

const marks = { reply: Buffer.from('{"id":'), change: Buffer.from('{"sub":') };

/** One masked text frame; a mask of zeros leaves the payload as it is. */
export function frame(text) {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.alloc(6) : payload.length < 65_536 ? Buffer.alloc(8) : Buffer.alloc(14);
  head[0] = 0x81;
  if (payload.length < 126) head[1] = 0x80 | payload.length;
  else if (payload.length < 65_536) {
    head[1] = 0x80 | 126;
    head.writeUInt16BE(payload.length, 2);
  } else {
    head[1] = 0x80 | 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, payload]);
}

function count(payload, mark) {
  let found = 0;
  for (let at = payload.indexOf(mark); at >= 0; at = payload.indexOf(mark, at + mark.length)) found++;
  return found;
}

export class RawConnection {
  #socket;
  #rest = Buffer.alloc(0);
  #isUp = false;
  #onUp;
  /** Called with the number of replies and of changes in each frame, and the frame's payload. */
  onFrame = () => {};
  nextId = 1;

  static open(port, connect = {}) {
    return new Promise((resolve, reject) => {
      const connection = new RawConnection();
      const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
      connection.#socket = socket;
      socket.on("error", reject);
      socket.on("connect", () => {
        socket.write(
          "GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: copse.v1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
      });
      socket.on("data", (chunk) => connection.#take(chunk));
      connection.#onUp = () => {
        connection.onFrame = () => {
          connection.onFrame = () => {};
          resolve(connection);
        };
        connection.send(
          `{"id":${connection.nextId++},"op":"connect","timeout":120000${Object.entries(connect)
            .map(([name, value]) => `,"${name}":${JSON.stringify(value)}`)
            .join("")}}`,
        );
      };
    });
  }

  send(text) {
    this.#socket.write(frame(text));
  }

  /** Writes frames that are encoded already, in one go. */
  write(bytes) {
    this.#socket.write(bytes);
  }

  end() {
    this.#socket.destroy();
  }

  #take(chunk) {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    if (!this.#isUp) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) {
        this.#rest = bytes;
        return;
      }
      this.#isUp = true;
      at = end + 4;
      this.#onUp();
    }
    while (bytes.length - at >= 2) {
      let length = bytes[at + 1] & 127;
      let head = 2;
      if (length === 126) {
        if (bytes.length - at < 4) break;
        length = bytes.readUInt16BE(at + 2);
        head = 4;
      } else if (length === 127) {
        if (bytes.length - at < 10) break;
        length = Number(bytes.readBigUInt64BE(at + 2));
        head = 10;
      }
      if (bytes.length - at < head + length) break;
      const payload = bytes.subarray(at + head, at + head + length);
      at += head + length;
      this.onFrame(count(payload, marks.reply), count(payload, marks.change), payload);
    }
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : Buffer.alloc(0);
  }
}
