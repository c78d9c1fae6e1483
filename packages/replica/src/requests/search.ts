/**
 * Names that contain a text, anywhere below a path: a walk of the tree that is cut into requests.
 *
 * Invariants: one request looks at a bounded number of znodes, so that none holds the loop; what comes next follows from the
 * path that was looked at last, so nothing is kept between two requests. Upper and lower case are alike.
 */
import { joinPath } from "@copse/protocol";
import type { Tree, Znode } from "@copse/tree";

export interface Search {
  readonly path: string;
  readonly contains: string;
  /** The path that was looked at last, or null to begin. */
  readonly after: string | null;
  readonly limit: number | null;
}

export interface Found {
  readonly paths: readonly string[];
  /** Znodes that this request has looked at. */
  readonly looked: number;
  /** Where the next request goes on, or null where everything was looked at. */
  readonly after: string | null;
}

/** Znodes that one request looks at: some milliseconds of work. */
const looksMax = 10_000;
/** UTF-16 units of the names that one request looks at. */
const unitsMax = 1_000_000;
/** Paths in one reply. */
const pathsMax = 1_000;

interface Level {
  readonly path: string;
  readonly children: Iterator<Znode, undefined>;
}

/** In the order of a walk: a znode, then all below it, siblings in code-unit order. */
/** @param isShown false for a path that is not to be named */
export function search(tree: Tree, { path, contains, after, limit }: Search, isShown: (path: string) => boolean): Found {
  const wanted = contains.toLowerCase();
  const size = Math.min(limit ?? pathsMax, pathsMax);
  const paths: string[] = [];
  const levels = levelsBehind(tree, path, after);
  let looked = 0;
  let units = 0;
  let last = after;
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    if (looked >= looksMax || units >= unitsMax || paths.length >= size) return { paths, looked, after: last };
    const { done, value: znode } = level.children.next();
    if (done === true) {
      levels.pop();
      continue;
    }
    looked++;
    units += znode.name.length;
    last = joinPath(level.path, znode.name);
    if (znode.name.toLowerCase().includes(wanted) && isShown(last)) paths.push(last);
    if (znode.children !== null) levels.push({ path: last, children: znode.children.after(null) });
  }
  return { paths, looked, after: null };
}

/** What is still to be looked at after `after`, the innermost level last. What has gone meanwhile is passed over. */
function levelsBehind(tree: Tree, top: string, after: string | null): Level[] {
  let znode = tree.find(top);
  if (znode === undefined) return [];
  if (after === null) return znode.children === null ? [] : [{ path: top, children: znode.children.after(null) }];
  const levels: Level[] = [];
  let path = top;
  for (const name of after.slice(top === "/" ? 1 : top.length + 1).split("/")) {
    if (znode?.children == null) return levels;
    levels.push({ path, children: znode.children.after(name) });
    znode = znode.child(name);
    path = joinPath(path, name);
  }
  if (znode?.children != null) levels.push({ path, children: znode.children.after(null) });
  return levels;
}
