/**
 * A worker that counts in a file, one turn at a time, under a lock that all workers share.
 *
 * The file is what the lock protects, and it checks the fencing token: a write with a token that is not greater than the
 * last one is refused, whatever its writer believes to hold. Each turn appends a line to the journal.
 *
 *   node lock-worker.js --name a --file counter.json [--url URL] [--turns 50] [--pause-ms 0] [--hold-at N]
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect, isCopseError } from "@copse/client";
import { withLock } from "@copse/recipes/lock";

const { values } = parseArgs({
  options: {
    name: { type: "string", default: "worker" },
    file: { type: "string", default: "counter.json" },
    url: { type: "string", default: "ws://127.0.0.1:7181" },
    turns: { type: "string", default: "50" },
    "pause-ms": { type: "string", default: "0" },
    /** At this turn it keeps the lock until it is killed: to see what happens then. */
    "hold-at": { type: "string" },
  },
});

interface Counter {
  readonly count: number;
  readonly token: number;
}

function readCounter(file: string): Counter {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Counter) : { count: 0, token: 0 };
}

/** Writes the counter, unless somebody with a newer token was here. */
function writeCounter(file: string, counter: Counter): void {
  const { token } = readCounter(file);
  if (counter.token <= token) throw new Error(`token ${counter.token} is not newer than ${token}`);
  writeFileSync(`${file}.${values.name}`, JSON.stringify(counter));
  renameSync(`${file}.${values.name}`, file);
}

console.log(`${values.name} is process ${process.pid}`);
const copse = await connect(values.url, { sessionTimeoutMs: 4_000 });
for (let turn = 1; turn <= Number(values.turns); turn++) {
  try {
    await withLock(copse, "/locks/counter", { data: values.name }, async (lock) => {
      if (turn === Number(values["hold-at"])) {
        console.log(`${values.name} holds the lock with token ${lock.token} until it is killed`);
        await new Promise(() => setInterval(() => {}, 1_000));
      }
      const { count } = readCounter(values.file);
      await pause(1);
      lock.signal.throwIfAborted();
      writeCounter(values.file, { count: count + 1, token: lock.token });
      appendFileSync(`${values.file}.journal`, `${JSON.stringify({ name: values.name, turn, token: lock.token, count: count + 1 })}\n`);
      console.log(`${values.name}: turn ${turn}, token ${lock.token}, count ${count + 1}`);
    });
  } catch (error) {
    if (!isCopseError(error, "SESSION_EXPIRED")) throw error;
    turn--; // The session was lost before the turn was done: take it again in the next one.
    await copse.connected();
  }
  await pause(Number(values["pause-ms"]));
}
await copse.close();
