/** An edge as a process of its own. */
import { command, freePort, Process } from "./processes.ts";

export interface EdgeProcess {
  readonly port: number;
  readonly url: string;
  /** Where others may follow it. */
  readonly peer: string;
  readonly process: Process;
}

/** Starts an edge of whoever listens for peers at these addresses, and waits until it takes clients. */
export async function startEdge(of: readonly string[], ...flags: string[]): Promise<EdgeProcess> {
  const [port, peerPort] = [await freePort(), await freePort()];
  const peer = `127.0.0.1:${peerPort}`;
  const places = ["--of", of.join(","), "--listen", `127.0.0.1:${port}`, "--peer-listen", peer];
  const process_ = new Process(process.execPath, [command, "edge", ...places, ...flags]);
  await process_.printed(/copse serves wss?:/);
  return { port, url: `ws://127.0.0.1:${port}`, peer, process: process_ };
}
