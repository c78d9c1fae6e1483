/**
 * How many files and sockets this process may have open, and how many of them connections may take.
 *
 * Invariant: what the member itself needs (log, snapshots, peers, the next file that it opens) is never taken by connections.
 */

/** Descriptors kept for the member itself; a quarter where there are few. */
const reserveMax = 256;

/** The bound that the host sets, or Infinity where it sets or says none. */
export function openFilesMax(): number {
  const { report } = process;
  if (report === undefined) return Number.POSITIVE_INFINITY;
  // Without this it looks up the names of all peers, which may take seconds.
  const said = Object.assign(report, { excludeNetwork: true }).getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = Number(said.userLimits?.open_files?.soft);
  return Number.isFinite(soft) && soft > 0 ? soft : Number.POSITIVE_INFINITY;
}

/** The connections that `wanted` and the host allow. */
export function connectionsWithin(wanted: number, filesMax: number): number {
  return Math.max(1, Math.min(wanted, filesMax - Math.min(reserveMax, Math.floor(filesMax / 4))));
}
