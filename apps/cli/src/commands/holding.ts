/**
 * lock and elect: hold something while a command runs.
 *
 * The command gets the fencing token in COPSE_TOKEN and the znode in COPSE_ZNODE. If the lock or term is lost it is sent
 * SIGTERM, because what it does is no longer protected.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { isCopseError } from "@copse/client";
import { election } from "@copse/recipes/election";
import { lock } from "@copse/recipes/lock";
import { exitCode, HeldError, UsageError } from "../exit-code.ts";
import { interrupted, note, print, type Shared, withClient } from "../terminal.ts";

interface Held {
  readonly path: string;
  readonly token: number;
  readonly signal: AbortSignal;
}

export async function holdLock(path: string, command: readonly string[], options: { wait?: number }, shared: Shared): Promise<void> {
  const signal = interrupted();
  await withClient(shared, {}, async (copse) => {
    const held = await lock(copse, path, { waitMs: options.wait, signal, data: `${process.pid}` }).catch((error: unknown) => {
      throw isCopseError(error, "TIMEOUT") ? new HeldError(`${path} is held: copse locks ${path} shows by whom`) : error;
    });
    try {
      await whileHeld(held, command, signal, shared, "locked");
    } finally {
      await held.close();
    }
  });
}

export async function campaign(
  path: string,
  command: readonly string[],
  options: { data?: string; once?: boolean },
  shared: Shared,
): Promise<void> {
  const signal = interrupted();
  await withClient(shared, {}, async (copse) => {
    for await (const term of election(copse, path, { data: options.data ?? `${process.pid}`, signal })) {
      await whileHeld(term, command, signal, shared, "leading");
      if (signal.aborted || options.once === true || command.length > 0) return;
    }
  });
}

async function whileHeld(
  { path, token, signal: lost }: Held,
  command: readonly string[],
  signal: AbortSignal,
  shared: Shared,
  word: string,
): Promise<void> {
  const [program, ...args] = command;
  if (program === undefined) {
    print(shared.output === "json" ? JSON.stringify({ path, token }) : `${word}: ${path}, token ${token}`);
    const either = AbortSignal.any([signal, lost]);
    if (!either.aborted) await new Promise((resolve) => either.addEventListener("abort", resolve, { once: true }));
    if (lost.aborted && !signal.aborted) note("lost");
    return;
  }
  const child = spawn(program, args, { stdio: "inherit", env: { ...process.env, COPSE_TOKEN: String(token), COPSE_ZNODE: path } });
  const stop = (): void => void child.kill("SIGTERM");
  lost.addEventListener("abort", stop, { once: true });
  signal.addEventListener("abort", stop, { once: true });
  await new Promise<void>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new UsageError(`${program}: no such command`) : error),
    );
    child.once("exit", (code, killed) => {
      process.exitCode = lost.aborted ? exitCode.unavailable : (code ?? signalCode(killed));
      resolve();
    });
  });
  if (lost.aborted) note(`lost while ${program} ran: it was stopped`);
}

/** As shells say that a signal ended a command. */
function signalCode(signal: NodeJS.Signals | null): number {
  return signal === null ? exitCode.done : 128 + constants.signals[signal];
}
