/**
 * JSON literals of texts and integers: written, and counted without writing them.
 *
 * Invariant: what is counted is the length of what would be written, exactly.
 */

/** A text of one byte for each character, which stands in a JSON literal as it is: most are, and one look is all that they cost. */
const printable = /^[ !#-[\]-~]*$/;

export function isPlain(text: string): boolean {
  return printable.test(text);
}

/** A text as a JSON literal. */
export function literal(text: string): string {
  return isPlain(text) ? `"${text}"` : JSON.stringify(text);
}

/** UTF-16 units of a text as a JSON literal, quotes included. */
export function literalUnits(text: string): number {
  return isPlain(text) ? text.length + 2 : JSON.stringify(text).length;
}

/** UTF-16 units of a safe integer as JSON, its sign included. */
export function integerUnits(integer: number): number {
  const size = Math.abs(integer);
  let count = integer < 0 ? 2 : 1;
  for (let power = 10; power <= size; power *= 10) count++;
  return count;
}
