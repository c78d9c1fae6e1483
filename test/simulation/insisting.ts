/** Writes that are made again until it is known that they are done. */
import { isCopseError } from "@copse/client";

export type Until = (work: () => Promise<unknown>, fine?: string) => Promise<void>;

/** Gives what makes a write again, after a pause, whatever the client says of it but `fine`: nothing goes on before it is known to be done. */
export function insisting(pause: () => Promise<void>): Until {
  return async (work, fine = "") => {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (!isCopseError(error)) throw error;
        if (error.code === fine) return;
        await pause();
      }
    }
  };
}
