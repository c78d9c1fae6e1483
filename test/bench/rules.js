/**
 * What rules cost: the same gets and sets without a document of rules and with a thousand, in turn on one member.
 *
 * Most of the rules are of other tenants, as in a hub that has many; a few have variables on the way to what is asked for.
 */
import { WebSocket } from "ws";

const rounds = 3;
const everyone = { scheme: "world", id: "anyone" };
const all = ["read", "write", "create", "delete", "admin"];

function document() {
  const tenant = (at) => ({ path: `/tenants/t${at}/{user}/**`, allow: [{ perms: ["read"], scheme: "token", id: "acme:{user}" }] });
  const rules = [
    ...Array.from({ length: 996 }, (_, at) => tenant(at)),
    { path: "/{room}/*", allow: [{ perms: ["read"], scheme: "claim", id: "acme:room={room}" }] },
    { path: "/*/{node}", allow: [{ perms: ["write"], scheme: "token", id: "acme:{node}" }] },
    { path: "/", allow: [{ perms: all, ...everyone }] },
    { path: "/bench/**", allow: [{ perms: all, ...everyone }] },
  ];
  return JSON.stringify({ version: 1, otherwise: "allow", rules });
}

/** Does something with the rules, and waits until it holds. */
function ask(port, message) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1`, ["copse.v1"]);
  return new Promise((resolve, reject) => {
    socket.on("open", () =>
      socket.send(
        JSON.stringify([
          { id: 1, op: "connect" },
          { id: 2, ...message },
        ]),
      ),
    );
    socket.on("error", reject);
    socket.on("message", (text) => {
      const reply = [JSON.parse(String(text))].flat().find(({ id }) => id === 2);
      if (reply === undefined) return;
      socket.close();
      if (reply.error === undefined || reply.error.code === "NO_NODE") resolve();
      else reject(new Error(reply.error.message));
    });
  });
}

/** Median of the CPU of the member for one operation, in microseconds, and operations a second. */
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

export async function runRules({ begin }) {
  const { run, end, ports } = await begin("copse", 1);
  const figures = {};
  const load = { get: { connections: 10, outstanding: 20 }, set: { connections: 100, outstanding: 10 } };
  await run({ work: "get", ...load.get });
  await run({ work: "set", ...load.set });
  for (const work of ["get", "set"]) {
    const cpu = { none: [], thousand: [] };
    const speed = { none: [], thousand: [] };
    for (let round = 0; round < rounds; round++) {
      for (const kind of ["none", "thousand"]) {
        await ask(ports[0], { op: "delete", path: "/copse/rules" });
        if (kind === "thousand") await ask(ports[0], { op: "create", path: "/copse/rules", data: document() });
        const { serverCpuUs, opsPerSecond } = await run({ work, ...load[work] });
        cpu[kind].push(serverCpuUs);
        speed[kind].push(opsPerSecond);
      }
    }
    figures[`${work}, CPU µs, no rules`] = Math.round(median(cpu.none) * 100) / 100;
    figures[`${work}, CPU µs, 1 000 rules`] = Math.round(median(cpu.thousand) * 100) / 100;
    figures[`${work}, CPU, ratio`] = Math.round((median(cpu.thousand) / median(cpu.none)) * 1_000) / 1_000;
    figures[`${work}, ops/s, ratio`] = Math.round((median(speed.thousand) / median(speed.none)) * 1_000) / 1_000;
  }
  await end();
  return figures;
}
