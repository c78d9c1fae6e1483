/**
 * One workload against one server, from a process of its own: closed loop, so many connections, so many outstanding each.
 *
 *   node load.js '{"work":"get","port":7181,"pid":123,"connections":10,"outstanding":20,"seconds":5,"bytes":100}'
 *
 * Prints one line of JSON: operations per second, p50 and p99 in milliseconds, the server's CPU per operation in microseconds
 * (user and system, from /proc), and this process's own share of a core, so that a generator at its limit is noticed.
 */
import { readFileSync } from "node:fs";
import { frame, RawConnection } from "./raw-connection.js";

const { work, port, pid, connections, outstanding, seconds, bytes = 100 } = JSON.parse(process.argv[2] ?? "{}");
const warmMs = Math.min(1_500, seconds * 300);
const data = "x".repeat(bytes);

const requests = {
  get: (id) => `{"id":${id},"op":"get","path":"/bench/n${id % 100}"}`,
  set: (id) => `{"id":${id},"op":"set","path":"/bench/n${id % 100}","data":"${data}","ack":${id - 1}}`,
  create: (id) => `{"id":${id},"op":"create","path":"/bench/q/n-","sequential":true,"data":"${data}","ack":${id - 1}}`,
};

/** The server's CPU time so far, in microseconds; NaN where the system does not tell. */
function serverCpu() {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return Number.NaN;
  }
}

async function prepare() {
  const setUp = await RawConnection.open(port);
  const wanted = ["/bench", "/bench/q", ...Array.from({ length: 100 }, (_, at) => `/bench/n${at}`)];
  let answered = 0;
  await new Promise((resolve) => {
    setUp.onFrame = (replies) => {
      answered += replies;
      if (answered >= wanted.length) resolve();
    };
    for (const path of wanted) setUp.send(`{"id":${setUp.nextId++},"op":"create","path":"${path}","data":"${data}"}`);
  });
  setUp.send(`{"id":${setUp.nextId++},"op":"close"}`);
}

function percentile(sorted, share) {
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function closedLoop() {
  let done = 0;
  let isMeasuring = false;
  const latencies = [];
  for (let number = 0; number < connections; number++) {
    const connection = await RawConnection.open(port, work === "get" ? { readOnly: true } : {});
    const sentAt = [];
    let head = 0;
    const send = (times) => {
      const now = performance.now();
      const frames = [];
      for (let left = times; left > 0; left--) {
        frames.push(frame(requests[work](connection.nextId++)));
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
  const elapsed = (performance.now() - start) / 1_000;
  const operations = done - from;
  const used = process.cpuUsage(own);
  latencies.sort((a, b) => a - b);
  return {
    opsPerSecond: Math.round(operations / elapsed),
    p50Ms: round(percentile(latencies, 0.5)),
    p99Ms: round(percentile(latencies, 0.99)),
    serverCpuUs: round((serverCpu() - cpu) / operations),
    loadCpuShare: round((used.user + used.system) / 1e6 / elapsed),
  };
}

/** One writer, many subscribers of one znode: milliseconds until the last has the new value. */
async function fanOut() {
  const writer = await RawConnection.open(port);
  let got = 0;
  let resolveRound = () => {};
  const subscribers = connections;
  for (let number = 0; number < subscribers; number++) {
    const connection = await RawConnection.open(port, { readOnly: true });
    await new Promise((resolve) => {
      connection.onFrame = resolve;
      connection.send(`{"id":${connection.nextId++},"op":"subscribe","path":"/bench/n0","scope":"node"}`);
    });
    connection.onFrame = (_replies, changes) => {
      got += changes;
      if (got >= subscribers) resolveRound();
    };
  }
  const times = [];
  const cpu = serverCpu();
  const until = performance.now() + seconds * 1_000;
  const own = process.cpuUsage();
  const start = performance.now();
  while (performance.now() < until) {
    got = 0;
    const from = performance.now();
    const round = new Promise((resolve) => {
      resolveRound = resolve;
    });
    writer.send(`{"id":${writer.nextId++},"op":"set","path":"/bench/n0","data":"${data}"}`);
    await round;
    times.push(performance.now() - from);
  }
  const elapsed = (performance.now() - start) / 1_000;
  const deliveries = times.length * subscribers;
  const used = process.cpuUsage(own);
  times.sort((a, b) => a - b);
  return {
    opsPerSecond: Math.round(deliveries / elapsed),
    p50Ms: round(percentile(times, 0.5)),
    p99Ms: round(percentile(times, 0.99)),
    serverCpuUs: round((serverCpu() - cpu) / deliveries),
    loadCpuShare: round((used.user + used.system) / 1e6 / elapsed),
  };
}

function round(value) {
  return Math.round(value * 100) / 100;
}

await prepare();
console.log(JSON.stringify(work === "fan-out" ? await fanOut() : await closedLoop()));
process.exit(0);
