/**
 * A number that many change at once: compared and set, again until nobody came between.
 *
 * The znode's data is the number as JSON. Invariant: each `add` that resolves was done once; one whose session ended while
 * it was under way rejects, and its outcome is unknown. What happens very often is better counted at home, and the sum added.
 */
import { type CallOptions, type Copse, CopseError, defineNode, isCopseError } from "@copse/client";

export interface Counter {
  /** 0 where there is no znode yet. @throws CopseError SCHEMA where the data is no safe integer */
  get(options?: CallOptions): Promise<number>;
  /** Adds, and resolves with the sum. @throws CopseError SCHEMA where data or sum are no safe integer */
  add(amount: number, options?: CallOptions): Promise<number>;
}

/**
 * A counter at `path`: its znode holds the number, and is made by the first `add`.
 * @example const visits = await counter(copse, "/counters/visits").add(1);
 */
export function counter(copse: Copse, path: string): Counter {
  const checked = (value: unknown): number => {
    if (Number.isSafeInteger(value)) return value as number;
    throw new CopseError("SCHEMA", "a counter holds a safe integer", { path });
  };
  const plain = defineNode<unknown>(path);
  const node = {
    ...plain,
    parse: (data: string | null) => checked(plain.parse(data)),
    format: (value: number) => plain.format(checked(value)),
  };
  return {
    get: async (options = {}) => {
      try {
        return node.parse((await copse.get(path, { ...options, linearizable: true })).data);
      } catch (error) {
        if (isCopseError(error, "NO_NODE")) return 0;
        throw error;
      }
    },
    add: async (amount, options = {}) =>
      (await copse.update<number>(node, (value: number | undefined) => (value ?? 0) + amount, options)).value,
  };
}
