/**
 * How a subscription shows what it may: znodes, changes, and to whom what is hidden.
 *
 * Invariants: a znode is shown to callers that may read it or its parent, its data to callers that may read it; the changes of one zxid are encoded once for
 * all subscriptions to which they look the same, and what stands after a subscription's number once for all numbers.
 */
import {
  type ChangeText,
  type Chunk,
  changeFrameBytesMax,
  encodeChanges,
  encodeChangeText,
  type Scope,
  type SeenData,
  type Value,
} from "@copse/protocol";
import { type Caller, type Change, configPath, mayDo, nobody } from "@copse/tree";
import { publicValue, statBeside } from "../ensemble/shown-config.ts";
import type { Sight } from "./sight.ts";

/** What decides how changes look to a subscription. */
interface Shown {
  readonly number: number;
  readonly path: string;
  readonly scope: Scope;
  readonly withData: boolean;
  readonly connection: { readonly caller: Caller };
}

/** True for a setAcl that gives or takes the caller's right to read. */
export function changesSight(change: Change, caller: Caller): boolean {
  return change.before !== null && mayDo(change.before, "read", caller) !== mayDo(change.acl, "read", caller);
}

/** True for a change of a znode that everyone could read, before it and after it. */
export function wasOpen({ acl, before }: Change): boolean {
  return mayDo(acl, "read", nobody) && (before === null || mayDo(before, "read", nobody));
}

/** What is shown of a znode's data. */
export function seenData(value: Value | null, seen: 1 | 2, withData: boolean): SeenData {
  return !withData ? "unasked" : seen === 1 ? "denied" : value;
}

/** Encodes the changes of one zxid, once for all subscriptions to which they look the same. */
export class ChangeEncoder {
  readonly #zxid: number;
  readonly #isOfConfig: boolean;
  readonly #sight: Sight;
  readonly #encoded: Map<string, readonly Chunk[]> = new Map();
  /** What stands after the numbers is alike for all of them: by how it looks, of the change that looked so last. */
  readonly #texts: Map<string, { readonly change: Change; readonly text: ChangeText }> = new Map();

  /** @param changes all of this zxid */
  constructor(zxid: number, changes: readonly Change[], sight: Sight) {
    this.#zxid = zxid;
    this.#isOfConfig = changes.some(({ path }) => path === configPath);
    this.#sight = sight;
  }

  encode(subscription: Shown, changes: readonly Change[]): readonly Chunk[] {
    const { number, path, scope, withData, connection } = subscription;
    const seen = changes.map((change) => this.#sight.of(change.path, change.acl, change.parentAcl, connection.caller));
    const isPublic = this.#isOfConfig && changes.some((change) => change.path === configPath) && !this.#sight.isAdmin(connection.caller);
    const key = `${number} ${withData} ${isPublic} ${scope} ${seen.join("")} ${path}`;
    let chunks = this.#encoded.get(key);
    if (chunks === undefined) {
      chunks = this.#chunks(number, changes, seen, withData, isPublic);
      this.#encoded.set(key, chunks);
    }
    return chunks;
  }

  #chunks(
    number: number,
    changes: readonly Change[],
    seen: readonly (0 | 1 | 2)[],
    withData: boolean,
    isPublic: boolean,
  ): readonly Chunk[] {
    const frames: ChangeText[][] = [[]];
    let units = 0;
    for (const [at, change] of changes.entries()) {
      const sightOf = seen[at]!;
      if (sightOf === 0) continue;
      const text = this.#text(change, sightOf, withData, isPublic);
      if (units + text.length > changeFrameBytesMax && units > 0) {
        frames.push([]);
        units = 0;
      }
      units += text.length;
      frames[frames.length - 1]!.push(text);
    }
    return frames
      .filter((frame) => frame.length > 0)
      .map((frame, at, { length }) => ({ text: encodeChanges(number, frame, at < length - 1), messages: frame.length }));
  }

  #text(change: Change, seen: 1 | 2, withData: boolean, isPublic: boolean): ChangeText {
    const { kind, path, stat } = change;
    const key = `${kind} ${seen} ${withData} ${isPublic} ${path}`;
    const known = this.#texts.get(key);
    if (known?.change === change) return known.text;
    const value = isPublic ? publicValue(path, change.value) : change.value;
    const shown = stat !== null && isPublic && path === configPath ? statBeside(stat, value) : stat;
    const text = encodeChangeText(this.#zxid, kind, path, seenData(value, seen, withData), shown);
    this.#texts.set(key, { change, text });
    return text;
  }
}
