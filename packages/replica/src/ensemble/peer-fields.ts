/** The fields of what a peer says, each checked: a peer has proved who it is, not that its build is sound. All throw an Error that says what is wrong. */
import type { Configuration } from "@copse/raft";

/** The first line of a message. */
export type Head = Readonly<Record<string, unknown>>;

export function decodeConfiguration(given: unknown): Configuration {
  const { voters, outgoing, learners, learnersNext, autoLeave } = record(given);
  const ids = (value: unknown): number[] => list(value).map(count);
  return {
    voters: ids(voters),
    outgoing: ids(outgoing),
    learners: ids(learners),
    learnersNext: ids(learnersNext),
    autoLeave: autoLeave === true,
  };
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= countMax;
}

/** Terms, indexes, numbers: far above what a cluster ever reaches, far below where numbers lose their last digit. */
const countMax = 2 ** 50;

export function count(value: unknown): number {
  if (!isCount(value)) throw new Error("a peer's message holds a number that is not a valid count");
  return value;
}

export function text(value: unknown): string {
  if (typeof value !== "string") throw new Error("a peer's message holds a value that is not a string");
  return value;
}

export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error("a peer's message holds a value that is not an array");
  return value;
}

export function record(value: unknown): Head {
  if (typeof value !== "object" || value === null) throw new Error("a peer's message holds a value that is not an object");
  return value as Head;
}
