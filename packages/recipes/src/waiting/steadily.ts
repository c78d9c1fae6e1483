/**
 * Reads that outlast an election.
 *
 * A member without a quorum refuses reads and sends its sessions elsewhere; the session lives on, and so do the calls that wait in it.
 */
import { type Copse, isCopseError } from "@copse/client";

/** Before the next try, in milliseconds. */
const retryMs = 50;

/** Reads, again where the server could not answer for want of a quorum. @throws what else `read` throws; the signal's reason */
export async function steadily<T>(copse: Copse, signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!isCopseError(error, "UNAVAILABLE")) throw error;
      await pause(copse, retryMs);
      await copse.connected(signal);
    }
  }
}

export function pause(copse: Copse, ms: number): Promise<void> {
  return new Promise((resolve) => void copse.clock.after(ms, resolve));
}
