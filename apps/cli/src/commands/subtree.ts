/**
 * A subtree at one moment: what a subscription begins with, and then no more.
 */
import { type Copse, CopseError, type LiveZnode } from "@copse/client";

/** The znodes of a subtree at one zxid, parents first. @throws CopseError NO_NODE */
export function readSubtree(copse: Copse, path: string, data: boolean): Promise<readonly LiveZnode[]> {
  return new Promise((resolve, reject) => {
    const options = { scope: "tree", data } as const;
    const stop = copse.observe(path, options, {
      state: (znodes) => {
        stop();
        if (znodes.size > 0) resolve([...znodes.values()]);
        else reject(new CopseError("NO_NODE", "the znode does not exist", { path }));
      },
      changes: () => {},
      failed: reject,
    });
  });
}
