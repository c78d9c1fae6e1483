/**
 * Arithmetic on paths. Nothing here checks a path: the server does.
 */

/**
 * The last name of a path; "" for the root.
 * @example nameOf("/app/title"); // "title"
 */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * The path of the parent; the root is its own.
 * @example parentOf("/app/title"); // "/app"
 */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/**
 * The path of a child.
 * @example joinPath("/", "app"); // "/app"
 */
export function joinPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/**
 * A path as seen from `top`, which is "." itself.
 * @param path `top`, or a path below it
 * @example relativePath("/app", "/app/web/title"); // "web/title"
 */
export function relativePath(top: string, path: string): string {
  return path === top ? "." : path.slice(top === "/" ? 1 : top.length + 1);
}

/**
 * The path that is seen as `path` from `top`.
 * @example absolutePath("/app", "web/title"); // "/app/web/title"
 */
export function absolutePath(top: string, path: string): string {
  return path === "." || path === "" ? top : joinPath(top, path);
}
