/**
 * The order of sequential znodes.
 */

/** The digits that end a name, without leading zeros; null where it ends otherwise. */
function sequenceOf(name: string): string | null {
  let from = name.length;
  while (from > 0 && name.charCodeAt(from - 1) >= 0x30 && name.charCodeAt(from - 1) <= 0x39) from--;
  if (from === name.length) return null;
  while (from < name.length - 1 && name.charCodeAt(from) === 0x30) from++;
  return name.slice(from);
}

/**
 * The order in which their parent numbered sequential znodes: by the number at the end of the name, of any length. The text before it
 * does not count. Names without a number come last.
 * @returns negative, zero or positive
 * @example ["b-0000000007", "a-10000000000", "a-0000000003"].sort(compareSequences) // a-…3, b-…7, a-10000000000
 */
export function compareSequences(name: string, other: string): number {
  const [left, right] = [sequenceOf(name), sequenceOf(other)];
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  return left.length - right.length || (left < right ? -1 : left === right ? 0 : 1);
}
