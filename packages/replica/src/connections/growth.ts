/**
 * What would take more of the heap or the disk: refused where there is hardly room left.
 */
import type { Request, SingleWrite, Write } from "@copse/protocol";
import type { Tree } from "@copse/tree";

/** What there is hardly any left of; `leader`: of one of these on the member that leads, which keeps each write before it counts. */
export type Pressure = "heap" | "disk" | "leader";

/**
 * What there is too little of for a request, or null. A disk is filled by writes alone.
 * @param lastWriteId ids up to this one may have been done before
 */
export function pressureOn(request: Request, pressures: ReadonlySet<Pressure>, lastWriteId: number, tree: Tree): Pressure | null {
  if (pressures.size === 0 || !grows(request, lastWriteId, tree)) return null;
  if (pressures.has("heap")) return "heap";
  if (request.kind !== "write") return null;
  return pressures.has("disk") ? "disk" : "leader";
}

/**
 * True for a request that leaves more than it finds, and is known to be new.
 * @param lastWriteId ids up to this one may have been done before
 */
function grows(request: Request, lastWriteId: number, tree: Tree): boolean {
  switch (request.kind) {
    case "write":
      return request.id > lastWriteId && growsBy(request.write, tree);
    case "read":
      return "watch" in request.read && request.read.watch;
    case "follow":
      return request.follow.op !== "removeWatch" && request.follow.op !== "unsubscribe";
    default:
      return false;
  }
}

function growsBy(write: Write | SingleWrite, tree: Tree): boolean {
  switch (write.op) {
    case "multi":
      return write.ops.some((op) => growsBy(op, tree));
    case "create":
    case "setAcl":
      return true;
    case "set":
      return (write.value?.bytes ?? 0) > (tree.find(write.path)?.value?.bytes ?? 0);
    default:
      return false;
  }
}
