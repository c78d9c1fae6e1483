/**
 * Paths: their rules, their parts and their order.
 *
 * A path starts with "/", has no trailing "/" and no empty, "." or ".." segment. The order of paths is that of a
 * walk through the tree, parents first and siblings in code-unit order; no name holds U+0000, so "/" may stand
 * below every other unit.
 */
import { sequenceDigits } from "./limits.ts";
import { utf8Length } from "./text/text.ts";

/** The root of what the system keeps for itself. */
export const reservedRoot = "/copse";
/** Below it each znode is the quota of the path that follows: the part of the reserved tree that clients write. */
export const quotaRoot = "/copse/quota";
/** The znode whose data is the document of rules. */
export const rulesPath = "/copse/rules";

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const forbidden = /[\u0000-\u001f\u007f-\u009f\ufff0-\uffff]/;
const plain = /^[\w\-/ ]+$/;

/** Why `path` breaks the rules, or null. */
export function pathFault(path: string, pathBytesMax: number, pathDepthMax: number = Number.POSITIVE_INFINITY): string | null {
  if (!path.startsWith("/")) return "a path starts with /";
  if (path.length === 1) return null;
  if (path.endsWith("/")) return "a path has no trailing /";
  if (path.includes("//")) return "a path has no empty segment";
  // Two units for each segment at least: most paths need no count.
  if (path.length > 2 * pathDepthMax && depthOf(path) > pathDepthMax) return `a path has at most ${pathDepthMax} segments`;
  if (plain.test(path)) return path.length > pathBytesMax ? tooLong(pathBytesMax) : null;
  if (/\/\.{1,2}(\/|$)/.test(path)) return "a path has no . or .. segment";
  if (forbidden.test(path)) return "a path has no control characters and none of U+FFF0 to U+FFFF";
  if (!path.isWellFormed()) return "a path has no lone surrogates";
  return utf8Length(path) > pathBytesMax ? tooLong(pathBytesMax) : null;
}

/** As `pathFault`, for the path of a sequential create: the rules hold for the path with its suffix. */
export function sequentialPathFault(path: string, pathBytesMax: number, pathDepthMax?: number): string | null {
  return pathFault(path + "0".repeat(sequenceDigits), pathBytesMax, pathDepthMax);
}

/** The number of segments: 0 for the root. */
export function depthOf(path: string): number {
  if (path.length === 1) return 0;
  let depth = 0;
  for (let at = 0; at >= 0; at = path.indexOf("/", at + 1)) depth++;
  return depth;
}

function tooLong(pathBytesMax: number): string {
  return `a path has at most ${pathBytesMax} bytes`;
}

/** The parent of a path other than "/". */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** The last segment of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function joinPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** True if `path` is `ancestor` or below it. */
export function isWithin(path: string, ancestor: string): boolean {
  if (ancestor === "/") return true;
  return path.startsWith(ancestor) && (path.length === ancestor.length || path.charCodeAt(ancestor.length) === 0x2f);
}

/** How the recipes that queue name their znodes, before the number: locks, elections and semaphores can be told from other ephemerals by it. */
export const queueKinds = ["lock", "read", "write", "candidate", "lease"] as const;

export type QueueKind = (typeof queueKinds)[number];

/** True for `/copse` and all below it. */
export function isReserved(path: string): boolean {
  return isWithin(path, reservedRoot);
}

/** Negative, zero or positive: the order of a walk through the tree. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return (left === 0x2f ? -1 : left) - (right === 0x2f ? -1 : right);
  }
  return a.length - b.length;
}

/** The name suffix of a sequential znode: at least ten digits. */
export function sequenceSuffix(creations: number): string {
  return String(creations).padStart(sequenceDigits, "0");
}
