/**
 * What a hub tells systemd, where systemd has started it (`Type=notify`): that it serves, that it stops, and that it is alive.
 *
 * Node has no datagram sockets of Unix, so `systemd-notify` speaks for it: a process of its own each time, for which the unit says
 * `NotifyAccess=all`. Elsewhere nothing happens.
 */
import { spawn } from "node:child_process";

export class ServiceManager {
  readonly #isThere: boolean;
  readonly #watchdogMs: number;
  #timer: NodeJS.Timeout | null = null;
  #isTelling = false;

  /** @param env what systemd has set: NOTIFY_SOCKET, and WATCHDOG_USEC in microseconds */
  constructor(env: NodeJS.ProcessEnv = process.env) {
    this.#isThere = (env["NOTIFY_SOCKET"] ?? "") !== "";
    this.#watchdogMs = Number(env["WATCHDOG_USEC"] ?? 0) / 1_000;
  }

  /** It serves; from now on it says in time that it is alive: a loop that stands still does not. */
  ready(): void {
    this.#tell("--ready", "--status=serving");
    if (!this.#isThere || !(this.#watchdogMs > 0)) return;
    this.#timer = setInterval(() => this.#isTelling || this.#tell("WATCHDOG=1"), this.#watchdogMs / 3);
    this.#timer.unref();
  }

  /** It stops, and says nothing more: what hangs from here on is ended when the unit's time for a stop is over. */
  stopping(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#tell("STOPPING=1", "--status=stopping");
  }

  #tell(...said: readonly string[]): void {
    if (!this.#isThere) return;
    this.#isTelling = true;
    const done = (): void => {
      this.#isTelling = false;
    };
    spawn("systemd-notify", said, { stdio: "ignore" }).once("error", done).once("close", done);
  }
}
