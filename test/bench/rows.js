/**
 * The rows of `pnpm bench`: what each asks, what is aimed at, and how a row is printed.
 *
 * `goal` is the least ratio of operations per second to ZooKeeper's over uWebSockets.js, `cpuGoal` the most of the members' CPU for
 * each operation, `waitGoal` the most of its median. `without`: peers whose load generator can't ask it (etcd's keeps no window of HTTP/2). Over `ws` two thirds of the first are aimed at, and one and a half times the others.
 */
const set = { work: "set", connections: 100, outstanding: 10, members: 1 };
const large = { work: "set", connections: 10, outstanding: 5, members: 1, goal: 1.2 };
const three = { members: 3, connections: 99, outstanding: 10 };

export const rows = [
  { name: "get", title: "get 100 B, 10 × 20", work: "get", members: 1, connections: 10, outstanding: 20, goal: 3, cpuGoal: 0.3 },
  { ...set, name: "set", title: "set 100 B, 100 × 10", goal: 2, cpuGoal: 0.5 },
  { ...set, name: "create", title: "create, sequential, 100 × 10", work: "create", goal: 2.5 },
  { ...large, name: "set-10k", title: "set 10 kB, 10 × 5", bytes: 10_000 },
  { ...large, name: "set-100k", title: "set 100 kB, 10 × 5", bytes: 100_000, without: ["etcd"] },
  { ...set, name: "lone", title: "set, one outstanding", connections: 1, isInTurn: true, waitGoal: 1 },
  { ...set, name: "open", title: "set, 5 000/s whatever happens", perSecond: 5_000 },
  { ...three, name: "get-3", title: "get 100 B, 99 × 10", work: "get", goal: 3 },
  { ...three, name: "set-3", title: "set 100 B, 99 × 10", work: "set", goal: 2 },
  { ...three, name: "lone-3", title: "set, one outstanding", work: "set", connections: 3, isInTurn: true, waitGoal: 1 },
  { ...three, name: "open-3", title: "set, 2 000/s whatever happens", work: "set", perSecond: 2_000 },
  { ...three, name: "fan-out", title: "1 KiB to 1 000", work: "fan-out", connections: 1_000, bytes: 1_024, goal: 10, cpuGoal: 0.05 },
];

const times = (value, isReached) => `${value.toFixed(2)} ×${isReached === null ? "  " : isReached ? " ✓" : " ✗"}`;
/** A figure of a system's; some rows leave some out. */
const of = (system, read) => (row) => (row[system] === undefined ? "–" : read(row[system]));
const reached = (value, goal, isLeast) => (goal === undefined ? null : isLeast ? value >= goal : value <= goal);

/** The columns of the table, for the peers that are measured; `isWs`: what is aimed at over ws. */
export function columnsOf(peers, isWs) {
  const least = isWs ? 2 / 3 : 1;
  const most = isWs ? 1.5 : 1;
  const ofSystem = (system, title) => [
    [title, 11, of(system, ({ opsPerSecond }) => opsPerSecond.toLocaleString("en"))],
    ["p50 ms", 9, of(system, ({ p50Ms }) => p50Ms)],
    ["p99 ms", 9, of(system, ({ p99Ms }) => p99Ms)],
    ["CPU µs", 9, of(system, ({ serverCpuUs }) => Math.round(serverCpuUs * 10) / 10)],
  ];
  /** A figure of copse's over the peer's; `aim` says what it is to reach, at least or at most, and undefined where nothing is aimed at. */
  const ratio = (peer, title, figure, isLeast, aim) => {
    const read = (row) => {
      if (row[peer] === undefined) return "–";
      const value = row.copse[figure] / row[peer][figure];
      return times(value, reached(value, aim(row), isLeast));
    };
    return [title, 10, read];
  };
  const nothing = () => undefined;
  return [
    ["work", 32, ({ title }) => title],
    ...ofSystem("copse", "copse/s"),
    ["load", 7, ({ copse }) => `${Math.round(copse.loadCpuShare * 100)} %`],
    ...(peers.includes("zookeeper")
      ? [
          ...ofSystem("zookeeper", "ZooKeeper/s"),
          ratio("zookeeper", "ops", "opsPerSecond", true, ({ goal }) => goal && goal * least),
          ratio("zookeeper", "p50", "p50Ms", false, ({ waitGoal }) => waitGoal && waitGoal * most),
          ratio("zookeeper", "CPU", "serverCpuUs", false, ({ cpuGoal }) => cpuGoal && cpuGoal * most),
        ]
      : []),
    ...(peers.includes("etcd")
      ? [
          ...ofSystem("etcd", "etcd/s"),
          ratio("etcd", "ops", "opsPerSecond", true, nothing),
          ratio("etcd", "CPU", "serverCpuUs", false, nothing),
        ]
      : []),
  ];
}

export function printLine(columns, cells) {
  console.log(cells.map((cell, at) => (at === 0 ? String(cell).padEnd(columns[at][1]) : String(cell).padStart(columns[at][1]))).join(""));
}
