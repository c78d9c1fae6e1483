/** One member beside one whose clients are carried by edges, in one run: what more cores bring, and what the way through an edge costs. */
const rows = [
  { name: "get 100 B, 10 × 20", work: "get", connections: 10, outstanding: 20 },
  { name: "set 100 B, 100 × 10", work: "set", connections: 100, outstanding: 10 },
  { name: "set, one outstanding", work: "set", connections: 1, outstanding: 1 },
  { name: "1 KiB to 1 000", work: "fan-out", connections: 1_000, bytes: 1_024 },
];

/** @param begin starts copse with further flags */
export async function runCores({ begin, edges, port }) {
  const alone = await begin("copse", 1, port);
  const edged = await begin("copse", 1, port + 100, ["--edges", String(edges)]);
  const figures = {};
  for (const { name, ...row } of rows) {
    for (const [kind, { run }] of [
      ["alone", alone],
      [`${edges} edges`, edged],
    ]) {
      const { opsPerSecond, serverCpuUs, p50Ms } = await run(row);
      figures[`${name}: ${kind}`] = `${opsPerSecond.toLocaleString("en")}/s, ${serverCpuUs} µs of CPU, p50 ${p50Ms} ms`;
    }
  }
  await alone.end();
  await edged.end();
  return figures;
}
