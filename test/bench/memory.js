/** Memory of a process that this one has started, in bytes. */
import { readFileSync } from "node:fs";
import { WebSocket } from "ws";

/** The inspector of the one process that is measured. */
const inspector = "http://127.0.0.1:9229/json";
/** Flags of Node for a process whose heap is to be measured: a hub opens no debugger when it runs. */
export const inspectable = ["--inspect=127.0.0.1:9229"];

/** What it takes of the machine's. */
export function residentBytes(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1_024;
}

/** Live objects of a process that was started with `inspectable`: its garbage is collected, its heap measured. */
export async function liveHeap() {
  const socket = new WebSocket(await address());
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  let lastId = 0;
  const ask = (method) =>
    new Promise((resolve) => {
      const id = ++lastId;
      socket.on("message", (text) => {
        const reply = JSON.parse(String(text));
        if (reply.id === id) resolve(reply.result);
      });
      socket.send(JSON.stringify({ id, method }));
    });
  await ask("HeapProfiler.collectGarbage");
  const { usedSize } = await ask("Runtime.getHeapUsage");
  socket.close();
  return usedSize;
}

async function address() {
  for (;;) {
    const list = await fetch(inspector).catch(() => null);
    if (list !== null) return (await list.json())[0].webSocketDebuggerUrl;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
