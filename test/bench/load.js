/**
 * One workload against one system, from a process of its own.
 *
 *   node load.js '{"system":"copse","work":"get","ports":[7181],"pids":[123],"connections":10,"outstanding":20,"seconds":5,"bytes":100}'
 *
 * A closed loop, so many outstanding on each connection; with `isInTurn` one outstanding in all, on one connection after the
 * other, so that leader and followers count alike; with `perSecond` an open loop, which asks at its times whether or not it was
 * answered, and counts each wait from the time at which it was due: who stalls is charged for all that came meanwhile.
 * Prints one line of JSON: operations per second, percentiles in milliseconds, the CPU of all members per operation in
 * microseconds (user and system, from /proc), and this process's own share of a core, so that a generator at its limit is
 * noticed. All systems are asked by prepared bytes, and their replies are counted, not read.
 */
import { readFileSync } from "node:fs";
import { EtcdConnection, etcdRequests } from "./etcd-connection.js";
import { pipelined } from "./pipeline.js";
import { frame, RawConnection } from "./raw-connection.js";
import { ZooKeeperConnection, zookeeperRequests } from "./zookeeper-connection.js";

const task = JSON.parse(process.argv[2] ?? "{}");
const { system, work, ports, pids, connections, outstanding, seconds, bytes = 100, isInTurn = false, perSecond = null } = task;
const warmMs = Math.min(1_500, seconds * 300);
const data = "x".repeat(bytes);
/** The znode that is followed. */
const followed = "/bench/n0";

const copse = {
  open: (port, isReader = work === "get") => RawConnection.open(port, isReader ? { readOnly: true } : {}),
  requests: {
    get: (id) => frame(`{"id":${id},"op":"get","path":"/bench/n${id % 100}"}`),
    set: (id) => frame(`{"id":${id},"op":"set","path":"/bench/n${id % 100}","data":"${data}","ack":${id - 1}}`),
    create: (id) => frame(`{"id":${id},"op":"create","path":"/bench/q/n-","sequential":true,"data":"${data}","ack":${id - 1}}`),
    make: (id, path) => frame(`{"id":${id},"op":"create","path":"${path}","data":"${data}","ack":${Math.max(0, id - 1_000)}}`),
    follow: (id, path) => frame(`{"id":${id},"op":"subscribe","path":"${path}","scope":"node"}`),
    change: (id, path) => frame(`{"id":${id},"op":"set","path":"${path}","data":"${data}"}`),
  },
  /** A change brings the data with it. */
  isReadAgain: false,
};
const zookeeper = { open: (port) => ZooKeeperConnection.open(port), requests: zookeeperRequests(data), isReadAgain: true };
const etcd = { open: (port) => EtcdConnection.open(port), requests: etcdRequests(data), isReadAgain: false };
const { open, requests, isReadAgain } = { copse, zookeeper, etcd }[system];

/** The members' CPU time so far, in microseconds; NaN where the system does not tell. */
function serverCpu() {
  try {
    return pids.reduce((sum, pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
      return sum + (Number(fields[11]) + Number(fields[12])) * 10_000;
    }, 0);
  } catch {
    return Number.NaN;
  }
}

async function prepare() {
  const setUp = await open(ports[0], false);
  const wanted = ["/bench", "/bench/q", ...Array.from({ length: 100 }, (_, at) => `/bench/n${at}`)];
  let answered = 0;
  await new Promise((resolve) => {
    setUp.onFrame = (replies) => {
      answered += replies;
      if (answered >= wanted.length) resolve();
    };
    for (const path of wanted) setUp.write(requests.make(setUp.nextId++, path));
  });
  // A refusal would count like an answer, and is cheaper.
  if (system === "copse" && requests[work] !== undefined) {
    const answer = await new Promise((resolve) => {
      setUp.onFrame = (_replies, _changes, payload) => resolve(String(payload));
      setUp.write(requests[work](setUp.nextId++, setUp));
    });
    if (answer.includes('"error"')) throw new Error(`the load would be refused: ${answer}`);
  }
  // Every member has to have them before it is asked.
  await new Promise((resolve) => setTimeout(resolve, ports.length > 1 ? 500 : 0));
}

function percentile(sorted, share) {
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Runs through the connections with one outstanding in all. */
async function inTurn() {
  const connected = [];
  for (let number = 0; number < connections; number++) connected.push(await open(ports[number % ports.length]));
  const latencies = [];
  const until = performance.now() + warmMs + seconds * 1_000;
  let from = null;
  for (let at = 0; performance.now() < until; at++) {
    const connection = connected[at % connections];
    if (from === null && performance.now() >= until - seconds * 1_000)
      from = { cpu: serverCpu(), own: process.cpuUsage(), start: performance.now() };
    const sentAt = performance.now();
    await new Promise((resolve) => {
      connection.onFrame = resolve;
      connection.write(requests[work](connection.nextId++, connection));
    });
    if (from !== null) latencies.push(performance.now() - sentAt);
  }
  return figures(latencies.length, latencies, from);
}

/** Asks so many times a second, each request at its time, on one connection after the other. */
async function openLoop() {
  const connected = [];
  const latencies = [];
  let answered = 0;
  const from = performance.now() + warmMs;
  for (let number = 0; number < connections; number++) {
    const connection = await open(ports[number % ports.length]);
    const due = [];
    let head = 0;
    connection.onFrame = (replies) => {
      const now = performance.now();
      for (let left = replies; left > 0; left--) {
        const at = due[head++];
        if (at >= from) latencies.push(now - at);
      }
      answered += replies;
    };
    connected.push({ connection, due });
  }
  const start = performance.now();
  const until = start + warmMs + seconds * 1_000;
  let sent = 0;
  let measured = null;
  for (let now = start; now < until; now = performance.now()) {
    if (measured === null && now >= from) measured = { cpu: serverCpu(), own: process.cpuUsage(), start: now, answered };
    for (const owed = ((now - start) * perSecond) / 1_000; sent < owed; sent++) {
      const { connection, due } = connected[sent % connections];
      due.push(start + (sent * 1_000) / perSecond);
      connection.write(requests[work](connection.nextId++, connection));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const operations = answered - measured.answered;
  const patience = performance.now() + 5_000;
  const result = figures(operations, [], measured);
  while (answered < sent && performance.now() < patience) await new Promise((resolve) => setTimeout(resolve, 5));
  return { ...result, ...percentiles(latencies), unanswered: sent - answered };
}

async function closedLoop() {
  let done = 0;
  let isMeasuring = false;
  const latencies = [];
  for (let number = 0; number < connections; number++) {
    const connection = await open(ports[number % ports.length]);
    const sentAt = [];
    let head = 0;
    const send = (times) => {
      const now = performance.now();
      const frames = [];
      for (let left = times; left > 0; left--) {
        frames.push(requests[work](connection.nextId++, connection));
        sentAt.push(now);
      }
      connection.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
    };
    connection.onFrame = (replies) => {
      if (replies === 0) return;
      const now = performance.now();
      done += replies;
      for (let left = replies; left > 0; left--) {
        const latency = now - sentAt[head++];
        if (isMeasuring && latencies.length < 2_000_000) latencies.push(latency);
      }
      if (head > 10_000) {
        sentAt.splice(0, head);
        head = 0;
      }
      send(replies);
    };
    send(outstanding);
  }
  await new Promise((resolve) => setTimeout(resolve, warmMs));
  isMeasuring = true;
  const [from, cpu, own, start] = [done, serverCpu(), process.cpuUsage(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  return figures(done - from, latencies, { cpu, own, start });
}

/** Makes so many znodes, whichever of them are there already; ten thousand siblings each. */
async function fill() {
  const from = { cpu: serverCpu(), own: process.cpuUsage(), start: performance.now() };
  const connection = await open(ports[0]);
  let made = 0;
  const next = () => {
    if (made === task.znodes) return null;
    const at = made++;
    const path = at % 10_000 === 0 ? `/bench/fill${at / 10_000}` : `/bench/fill${Math.floor(at / 10_000)}/n${at}`;
    return requests.make(connection.nextId++, path);
  };
  await pipelined(connection, next, outstanding);
  return figures(task.znodes, [], from);
}

/** One writer, many who follow one znode: milliseconds until the last has the new value. */
async function fanOut() {
  const writer = await open(ports[0]);
  let got = 0;
  let resolveRound = () => {};
  const opening = Array.from({ length: connections }, (_, number) => open(ports[number % ports.length]));
  for (const connection of await Promise.all(opening)) {
    await new Promise((resolve) => {
      connection.onFrame = resolve;
      connection.write(requests.follow(connection.nextId++, followed));
    });
    connection.onFrame = (replies, changes) => {
      if (isReadAgain && changes > 0) connection.write(requests.read(connection.nextId++, followed));
      got += isReadAgain ? replies : changes;
      if (got >= connections) resolveRound();
    };
  }
  const times = [];
  const from = { cpu: serverCpu(), own: process.cpuUsage(), start: performance.now() };
  const until = from.start + seconds * 1_000;
  while (performance.now() < until) {
    got = 0;
    const sentAt = performance.now();
    const round = new Promise((resolve) => {
      resolveRound = resolve;
    });
    writer.write(requests.change(writer.nextId++, followed));
    await round;
    times.push(performance.now() - sentAt);
  }
  return figures(times.length * connections, times, from);
}

function figures(operations, latencies, { cpu, own, start }) {
  const elapsed = (performance.now() - start) / 1_000;
  const used = process.cpuUsage(own);
  return {
    opsPerSecond: Math.round(operations / elapsed),
    ...percentiles(latencies),
    serverCpuUs: round((serverCpu() - cpu) / operations),
    loadCpuShare: round((used.user + used.system) / 1e6 / elapsed),
  };
}

function percentiles(latencies) {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share) => round(percentile(sorted, share));
  return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: round(sorted[sorted.length - 1] ?? Number.NaN) };
}

function round(value) {
  return Math.round(value * 100) / 100;
}

await prepare();
const run = work === "fan-out" ? fanOut : work === "fill" ? fill : isInTurn ? inTurn : perSecond !== null ? openLoop : closedLoop;
console.log(JSON.stringify(await run()));
process.exit(0);
