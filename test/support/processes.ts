/**
 * Real processes: the built command, started, spoken to and killed as a user or a power cut would.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");
export const command = join(root, "apps/cli/bin/copse.js");

const lineMs = 30_000;
const started = new Set<ChildProcess>();

/** Ends whatever a test has left behind; for afterEach. */
export function killAll(): void {
  for (const child of started) child.kill("SIGKILL");
  started.clear();
}

export class Process {
  readonly child: ChildProcess;
  out = "";
  err = "";
  readonly exited: Promise<number | null>;
  #look: (() => void)[] = [];

  constructor(program: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(program, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"], ...options });
    started.add(this.child);
    this.child.stdout?.on("data", (chunk) => this.#take(() => (this.out += String(chunk))));
    this.child.stderr?.on("data", (chunk) => this.#take(() => (this.err += String(chunk))));
    this.exited = once(this.child, "close").then(([code]) => {
      started.delete(this.child);
      this.#take(() => {});
      return code as number | null;
    });
  }

  /** The first match in what the process has printed, as soon as it is there. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = performance.now() + lineMs;
    for (;;) {
      const found = pattern.exec(this.out) ?? pattern.exec(this.err);
      if (found !== null) return found;
      if (this.child.exitCode !== null || performance.now() > deadline)
        throw new Error(`never printed ${pattern}:\n${this.out}\n${this.err}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#look.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Ends it at once, as a crash would. */
  async kill9(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }

  #take(change: () => void): void {
    change();
    for (const look of this.#look.splice(0)) look();
  }
}

/** The ports that a worker of the tests gives out: below those that the system takes for connections, each worker a range of its own. */
const firstPort = 11_000;
const portsEach = 1_900;
const workers = 11;
const worker = Number(process.env["VITEST_POOL_ID"] ?? process.pid) % workers;
let portsGiven = Math.floor(Math.random() * portsEach);

/**
 * A port that nobody listens on, and that this worker does not give out again for a long time: it stays free while the process that had
 * it is down, so that it can come back there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    portsGiven = (portsGiven + 1) % portsEach;
    const port = firstPort + worker * portsEach + portsGiven;
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer()
        .once("error", () => resolve(false))
        .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

export interface ServedHub {
  readonly process: Process;
  readonly port: number;
  readonly url: string;
  readonly page: string;
}

/** With `COPSE_EDGES=2` every hub of the tests that start processes carries its clients with two edges. */
export const edgeFlags: readonly string[] = process.env["COPSE_EDGES"] === undefined ? [] : ["--edges", process.env["COPSE_EDGES"]];

/** Starts `copse serve` and waits until it serves. */
export function serve(data: string, port: number, ...flags: string[]): Promise<ServedHub> {
  return serveBy([], data, port, ...flags);
}

/** As `serve`, by a Node with flags of its own. */
export async function serveBy(node: readonly string[], data: string, port: number, ...flags: string[]): Promise<ServedHub> {
  const hub = new Process(process.execPath, [
    ...node,
    command,
    "serve",
    "--data",
    data,
    "--listen",
    `127.0.0.1:${port}`,
    ...edgeFlags,
    ...flags,
  ]);
  await hub.printed(/copse serves wss?:/);
  return { process: hub, port, url: `ws://127.0.0.1:${port}`, page: `http://127.0.0.1:${port}` };
}

/** Runs a copse command to its end. */
export async function copse(url: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return copseWith("", url, ...args);
}

/** As `copse`, with text on standard input. */
export async function copseWith(input: string, url: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const run = new Process(process.execPath, [command, "--url", url, ...args]);
  run.child.stdin?.end(input);
  const code = await run.exited;
  return { code, out: run.out, err: run.err };
}

/** Looks again and again until there is something; the test's own limit ends it if there never is. */
export async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
