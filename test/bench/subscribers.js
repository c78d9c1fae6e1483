/**
 * What many who only listen cost one member: idle subscribers, the watchers of one znode, and very many watches.
 *
 *   node subscribers.js '{"folder":"/tmp/x","command":"…/copse.js","port":7299,"connections":10000}'
 */
import { inspectable, liveHeap, residentBytes } from "./memory.js";
import { frame, RawConnection } from "./raw-connection.js";
import { startCopse } from "./systems.js";

const { folder, command, port, connections } = JSON.parse(process.argv[2] ?? "{}");
/** Connections that are being opened at a time. */
const opening = 64;
const watchers = Math.min(1_000, connections);
const watchesPerConnection = 1_000;

const { pids, stop } = await startCopse(command, 1, folder, port, [], inspectable);
const [pid] = pids;
const round = (value) => Math.round(value * 10) / 10;

/** Sends a request and waits for its reply. */
function ask(connection, text) {
  return new Promise((resolve) => {
    connection.onFrame = resolve;
    connection.write(frame(`{"id":${connection.nextId++},${text}}`));
  });
}

async function longestTurnMs() {
  const text = await (await fetch(`http://127.0.0.1:${port + 1}/metrics`)).text();
  return Number(/^copse_turn_max_seconds (\S+)$/m.exec(text)[1]) * 1_000;
}

/** Changes `path` and waits until all of these have heard; gives milliseconds, and the longest turn on the way. */
async function told(path, listeners) {
  await longestTurnMs();
  let left = listeners.length;
  const heard = new Promise((resolve) => {
    for (const listener of listeners) {
      listener.onFrame = () => {
        if (--left === 0) resolve();
      };
    }
  });
  const from = performance.now();
  const writing = ask(writer, `"op":"set","path":"${path}","data":"${"y".repeat(1_024)}"`);
  await heard;
  const ms = performance.now() - from;
  await writing;
  return { ms, turnMs: await longestTurnMs() };
}

const writer = await RawConnection.open(port + 1);
await ask(writer, `"op":"create","path":"/shown","data":"${"x".repeat(1_024)}"`);
const before = { live: await liveHeap(), resident: residentBytes(pid) };
const open = [];
while (open.length < connections) {
  const batch = Array.from({ length: Math.min(opening, connections - open.length) }, async () => {
    const connection = await RawConnection.open(port + 1, { readOnly: true });
    await ask(connection, '"op":"subscribe","path":"/shown","scope":"node"');
    return connection;
  });
  open.push(...(await Promise.all(batch)));
}
const idle = { live: await liveHeap(), resident: residentBytes(pid) };
const all = await told("/shown", open);

await ask(writer, '"op":"create","path":"/watched","data":"x"');
const watching = open.slice(0, watchers);
for (const connection of watching) await ask(connection, '"op":"get","path":"/watched","watch":true');
const once = await told("/watched", watching);

const beforeWatches = await liveHeap();
for (const [number, connection] of watching.entries()) {
  let left = watchesPerConnection;
  await new Promise((resolve) => {
    connection.onFrame = (replies) => {
      left -= replies;
      if (left === 0) resolve();
    };
    const frames = Array.from({ length: watchesPerConnection }, (_, at) =>
      frame(`{"id":${connection.nextId++},"op":"exists","path":"/none/${number}-${at}","watch":true}`),
    );
    connection.write(Buffer.concat(frames));
  });
}
const watches = watchers * watchesPerConnection;
const afterWatches = await liveHeap();
await stop();
console.log(
  JSON.stringify({
    subscribers: connections,
    residentBytesPerSubscriber: Math.round((idle.resident - before.resident) / connections),
    liveBytesPerSubscriber: Math.round((idle.live - before.live) / connections),
    changeToAllMs: round(all.ms),
    longestTurnMs: round(all.turnMs),
    watchersOfOne: watchers,
    eventToAllMs: round(once.ms),
    watches,
    liveBytesPerWatch: Math.round((afterWatches - beforeWatches) / watches),
  }),
);
process.exit(0);
