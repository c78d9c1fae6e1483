/**
 * The ensemble's configuration as it is shown: where members reach each other is for admins alone.
 *
 * The znode holds the whole of it, the same on every member; what is left out is left out where it is shown.
 */
import { madeValue, type Stat, textOf, utf8Length, type Value } from "@copse/protocol";
import { configPath, decodeConfig } from "@copse/tree";

const shown: WeakMap<Value, Value> = new WeakMap();

/** The data of a znode as others than admins see it. */
export function publicValue(path: string, value: Value | null): Value | null {
  if (value === null || path !== configPath) return value;
  let known = shown.get(value);
  if (known === undefined) {
    const { members, ...rest } = decodeConfig(textOf(value)!);
    const text = JSON.stringify({ members: members.map(({ peer: _, ...member }) => member), ...rest });
    known = madeValue(text, utf8Length(text), false);
    shown.set(value, known);
  }
  return known;
}

/** A stat beside the data that is shown. */
export function statBeside(stat: Stat, value: Value | null): Stat {
  return { ...stat, dataLength: value?.bytes ?? 0 };
}
