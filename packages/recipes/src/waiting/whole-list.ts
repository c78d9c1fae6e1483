/** Complete lists of children: a recipe must not decide by a list with some of them hidden. */
import { type Copse, CopseError, type ReadOptions } from "@copse/client";

/**
 * The names of all children.
 * @throws CopseError NO_AUTH where rules hide some of them: a waiter that can't see who is before it would believe that nobody is
 */
export async function wholeList(copse: Copse, path: string, options: ReadOptions): Promise<readonly string[]> {
  const { children, stat } = await copse.children(path, options);
  if (children.length === stat.numChildren) return children;
  throw new CopseError("NO_AUTH", "rules hide some of the children, so that nothing can be decided by them", { path });
}
