/**
 * How operations per second and waits grow with connections, members, the size of values and of the tree, beside ZooKeeper
 * where it is; drawn into the guide.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { draw, short } from "./plot.js";

const names = { copse: "copse", zookeeper: "ZooKeeper" };
const port = 9_100;

/** What is varied, and how a load follows from it. */
function sweepsOf(isQuick) {
  const many = { members: 1, connections: 100, outstanding: 10 };
  return [
    {
      name: "connections",
      label: "connections, 10 outstanding each",
      values: isQuick ? [1, 10, 100] : [1, 10, 100, 1_000],
      load: (connections) => ({ ...many, connections }),
    },
    { name: "members", label: "members, on one machine", values: isQuick ? [1, 3] : [1, 3, 5], load: (members) => ({ ...many, members }) },
    {
      name: "value-size",
      label: "bytes of a value",
      values: isQuick ? [100, 10_000] : [100, 1_000, 10_000, 100_000],
      load: (bytes) => ({ members: 1, connections: 20, outstanding: 4, bytes }),
    },
    {
      name: "tree-size",
      label: "znodes in the tree",
      values: isQuick ? [1_000, 10_000] : [1_000, 10_000, 100_000, 1_000_000],
      load: (fill) => ({ ...many, fill }),
    },
  ];
}

/**
 * @param begin starts a system, as `run.js` does
 * @param folder where the charts go
 * @returns the figures, by what was varied
 */
export async function runScaling({ begin, peers, isQuick, folder }) {
  const systems = ["copse", ...peers.filter((peer) => peer === "zookeeper")];
  const seconds = isQuick ? 1 : 3;
  mkdirSync(folder, { recursive: true });
  const report = {};
  for (const { name, label, values, load } of sweepsOf(isQuick)) {
    const lines = [];
    for (const system of systems) {
      for (const work of ["get", "set"]) lines.push({ system, work, name: `${names[system]}, ${work}`, results: [] });
      let running = null;
      for (const value of values) {
        const task = load(value);
        // One system serves a whole sweep, but where its members are what is varied.
        if (running === null || name === "members") {
          await running?.end();
          running = await begin(system, task.members, port);
        }
        if (task.fill !== undefined) await running.run({ work: "fill", znodes: task.fill, connections: 10, outstanding: 100 });
        for (const line of lines.filter((one) => one.system === system)) {
          line.results.push(await running.run({ ...task, work: line.work, seconds }));
          console.log(`${name} ${short(value)}: ${line.name} ${line.results.at(-1).opsPerSecond.toLocaleString("en")}/s`);
        }
      }
      await running.end();
    }
    const panelOf = (title, figure) => ({
      label: title,
      lines: lines.map((line) => ({ name: line.name, values: line.results.map((result) => result[figure]) })),
    });
    const panels = [panelOf("operations per second", "opsPerSecond"), panelOf("median wait, ms", "p50Ms")];
    writeFileSync(join(folder, `${name}.svg`), draw({ title: `How copse grows with ${label}`, x: { label, values }, panels }));
    report[name] = { values, lines: lines.map(({ name: line, results }) => ({ name: line, results })) };
  }
  return report;
}
