/**
 * An etcd connection that costs the load generator as little as can be, with the same face as RawConnection: HTTP/2 and gRPC by
 * hand, prepared bytes, replies counted and not read. Reads are serializable, which is what a local read is elsewhere.
 */
import net from "node:net";

const kind = { data: 0, headers: 1, settings: 4, ping: 6, windowUpdate: 8 };
const flag = { endStream: 1, ack: 1, endHeaders: 4 };
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Bytes that the other side may send before it has to be told to go on. */
const windowBytes = 1_073_741_823;

function h2(type, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header as a literal that enters no table. */
function header(name, value) {
  return Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
}

function headersOf(path) {
  const given = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "x",
    "content-type": "application/grpc",
    te: "trailers",
  };
  return Buffer.concat(Object.entries(given).map(([name, value]) => header(name, value)));
}

const paths = {
  range: headersOf("/etcdserverpb.KV/Range"),
  put: headersOf("/etcdserverpb.KV/Put"),
  watch: headersOf("/etcdserverpb.Watch/Watch"),
};

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);

function call(id, headers, message, isOpen = false) {
  const stream = id * 2 - 1;
  const body = Buffer.concat([Buffer.from([0]), uint32(message.length), message]);
  return Buffer.concat([h2(kind.headers, flag.endHeaders, stream, headers), h2(kind.data, isOpen ? 0 : flag.endStream, stream, body)]);
}

/** Each connection makes znodes of its own names: etcd has no sequential ones. */
let connections = 0;

export const etcdRequests = (data) => {
  const value = field(2, Buffer.from(data));
  const put = (id, path) => call(id, paths.put, Buffer.concat([field(1, Buffer.from(path)), value]));
  const serializable = Buffer.from([7 << 3, 1]);
  return {
    get: (id) => call(id, paths.range, Buffer.concat([field(1, Buffer.from(`/bench/n${id % 100}`)), serializable])),
    set: (id) => put(id, `/bench/n${id % 100}`),
    create: (id, connection) => put(id, `/bench/q/n-${connection.number}-${id}`),
    make: put,
    follow: (id, path) => call(id, paths.watch, field(1, field(1, Buffer.from(path))), true),
    change: put,
  };
};

export class EtcdConnection {
  #socket;
  #rest = Buffer.alloc(0);
  number = ++connections;
  /** Called with the number of replies and of changes in each read. */
  onFrame = () => {};
  nextId = 1;

  static open(port) {
    return new Promise((resolve, reject) => {
      const connection = new EtcdConnection();
      const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
      connection.#socket = socket;
      socket.on("error", reject);
      socket.on("data", (chunk) => connection.#take(chunk));
      socket.on("connect", () => {
        const settings = h2(kind.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(windowBytes)]));
        socket.write(Buffer.concat([preface, settings, h2(kind.windowUpdate, 0, 0, uint32(windowBytes))]));
        resolve(connection);
      });
    });
  }

  write(bytes) {
    this.#socket.write(bytes);
  }

  #take(chunk) {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let [at, replies, messages, received] = [0, 0, 0, 0];
    while (bytes.length - at >= 9) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < 9 + length) break;
      const [type, flags] = [bytes[at + 3], bytes[at + 4]];
      if (type === kind.settings && (flags & flag.ack) === 0) this.write(h2(kind.settings, flag.ack, 0, Buffer.alloc(0)));
      else if (type === kind.ping && (flags & flag.ack) === 0) this.write(h2(kind.ping, flag.ack, 0, bytes.subarray(at + 9, at + 17)));
      else if (type === kind.headers && (flags & flag.endStream) !== 0) replies++;
      else if (type === kind.data) {
        messages++;
        received += length;
      }
      at += 9 + length;
    }
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : Buffer.alloc(0);
    if (received > 0) this.write(h2(kind.windowUpdate, 0, 0, uint32(received)));
    // A watch answers with messages alone, the first of which says that it stands.
    if (replies > 0 || messages > 0) this.onFrame(replies, messages);
  }
}
