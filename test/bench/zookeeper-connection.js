/**
 * A ZooKeeper connection that costs the load generator as little as can be, with the same face as RawConnection: jute by hand,
 * prepared bytes, replies counted.
 */
import net from "node:net";

const sessionMs = 60_000;
/** The xid of what is no reply. */
const eventXid = -1;

function int(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Bytes after their length, as buffers, strings and packets all are. */
function sized(...parts) {
  const body = Buffer.concat(parts);
  return Buffer.concat([int(body.length), body]);
}

const text = (value) => sized(Buffer.from(value));
const everybody = Buffer.concat([int(1), int(31), text("world"), text("anyone")]);

export const zookeeperRequests = (data) => ({
  get: (id) => sized(int(id), int(4), text(`/bench/n${id % 100}`), Buffer.from([0])),
  set: (id) => sized(int(id), int(5), text(`/bench/n${id % 100}`), text(data), int(-1)),
  create: (id) => sized(int(id), int(1), text("/bench/q/n-"), text(data), everybody, int(2)),
  make: (id, path) => sized(int(id), int(1), text(path), text(data), everybody, int(0)),
  /** A persistent watch: what every follower of a value needs, who then reads it again at each event. */
  follow: (id, path) => sized(int(id), int(106), text(path), int(0)),
  read: (id, path) => sized(int(id), int(4), text(path), Buffer.from([0])),
  change: (id, path) => sized(int(id), int(5), text(path), text(data), int(-1)),
});

export class ZooKeeperConnection {
  #socket;
  #rest = Buffer.alloc(0);
  #onUp;
  /** Called with the number of replies and of events in what has come at once. */
  onFrame = () => {};
  nextId = 1;

  static open(port) {
    return new Promise((resolve, reject) => {
      const connection = new ZooKeeperConnection();
      const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
      connection.#socket = socket;
      connection.#onUp = () => resolve(connection);
      socket.on("error", reject);
      socket.on("connect", () =>
        socket.write(sized(int(0), Buffer.alloc(8), int(sessionMs), Buffer.alloc(8), sized(Buffer.alloc(16)), Buffer.from([0]))),
      );
      socket.on("data", (chunk) => connection.#take(chunk));
    });
  }

  /** Writes packets that are encoded already, in one go. */
  write(bytes) {
    this.#socket.write(bytes);
  }

  end() {
    this.#socket.destroy();
  }

  #take(chunk) {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    let replies = 0;
    let events = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readInt32BE(at);
      if (bytes.length - at < 4 + length) break;
      if (this.#onUp !== null) {
        this.#onUp();
        this.#onUp = null;
      } else if (bytes.readInt32BE(at + 4) === eventXid) events++;
      else replies++;
      at += 4 + length;
    }
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : Buffer.alloc(0);
    if (replies + events > 0) this.onFrame(replies, events);
  }
}
