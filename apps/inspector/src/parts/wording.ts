/** How figures are said: times, ages, sizes. */

/** A point in time, in milliseconds since the epoch. */
export function timeOf(ms: number): string {
  return ms === 0 ? "–" : new Date(ms).toLocaleString("sv");
}

/** A span in milliseconds, in its largest unit. */
export function spanOf(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function numberOf(value: number): string {
  return value.toLocaleString("en");
}

/** How many of something that has a regular plural. */
export function countOf(count: number, noun: string): string {
  return `${numberOf(count)} ${noun}${count === 1 ? "" : "s"}`;
}

export function bytesOf(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1_024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** An id long enough to tell it from others, short enough to read. */
export function shortId(id: string): string {
  return id.length > 10 ? `${id.slice(0, 8)}…` : id;
}
