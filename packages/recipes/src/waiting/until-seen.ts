/**
 * Waiting for something that a few znodes show, without asking again and again.
 *
 * Invariant: the watches stand before the first look, so no change between a look and the next wait is missed; however many
 * changes come during a look, one more look follows.
 */
import { type Copse, CopseError } from "@copse/client";
import { steadily } from "./steadily.ts";

/**
 * Looks, and again after each change of one of these znodes or of its list of children, until there is something to see.
 * @param look null: nothing yet
 * @throws what `look` throws; the signal's reason; CopseError CLOSED
 */
export async function untilSeen<T>(
  copse: Copse,
  paths: readonly string[],
  signal: AbortSignal | undefined,
  look: () => Promise<T | null>,
): Promise<T> {
  const streams = paths.map((path) => copse.watch(path, signal === undefined ? {} : { signal }));
  let isChanged = false;
  let isOver = false;
  let wake = (): void => {};
  const follow = async (stream: (typeof streams)[number]): Promise<void> => {
    try {
      for await (const _ of stream) {
        isChanged = true;
        wake();
      }
    } catch {
      // The signal has aborted, and the loop below says so.
    }
    isOver = true;
    wake();
  };
  for (const stream of streams) void follow(stream);
  try {
    for (;;) {
      isChanged = false;
      const seen = await steadily(copse, signal, look);
      if (seen !== null) return seen;
      if (!isChanged && !isOver) await new Promise<void>((resolve) => (wake = resolve));
      signal?.throwIfAborted();
      if (isOver) throw new CopseError("CLOSED", "the client is closed", { path: paths[0] });
    }
  } finally {
    for (const stream of streams) await stream.return?.();
  }
}
