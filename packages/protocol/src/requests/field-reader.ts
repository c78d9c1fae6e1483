/**
 * Reading the members of a message, one by one, by hand: what is right is copied, what is wrong is named.
 *
 * A `FieldReader` remembers the first thing that was wrong, so a decoder reads all it needs and asks once. An
 * optional member that is null counts as absent. Unknown members are never looked at.
 */

import type { Limits } from "../limits.ts";
import { versionMax } from "../limits.ts";
import { pathFault } from "../path.ts";
import { type Refusal, refuse } from "../replies/error-code.ts";

export class FieldReader {
  readonly message: Record<string, unknown>;
  readonly limits: Limits;
  /** The first thing that was wrong, or null. */
  fault: Refusal | null = null;

  constructor(message: Record<string, unknown>, limits: Limits) {
    this.message = message;
    this.limits = limits;
  }

  /** Notes a fault of the named member, if it is the first. */
  blame(member: string, what: string): void {
    this.fault ??= refuse("BAD_ARGUMENTS", `${member} ${what}`);
  }

  optional(member: string): unknown {
    return this.message[member] ?? null;
  }

  path(member = "path"): string {
    const path = this.message[member];
    if (typeof path !== "string") {
      this.blame(member, "must be a string");
      return "/";
    }
    const fault = pathFault(path, this.limits.pathBytes, this.limits.pathDepth);
    if (fault !== null) this.blame(`${member}:`, fault);
    return path;
  }

  paths(member: string): readonly string[] {
    const paths = this.optional(member);
    if (paths === null) return [];
    if (!Array.isArray(paths)) {
      this.blame(member, "must be an array of paths");
      return [];
    }
    for (const path of paths as unknown[]) {
      if (typeof path !== "string" || pathFault(path, this.limits.pathBytes, this.limits.pathDepth) !== null) {
        this.blame(member, "must be an array of paths");
        return [];
      }
    }
    return paths as string[];
  }

  text(member: string): string {
    const text = this.message[member];
    if (typeof text !== "string") this.blame(member, "must be a string");
    else if (!text.isWellFormed()) this.blame(member, "holds a lone surrogate");
    else return text;
    return "";
  }

  optionalText(member: string): string | null {
    return this.optional(member) === null ? null : this.text(member);
  }

  flag(member: string, absent = false): boolean {
    const flag = this.optional(member);
    if (flag === null) return absent;
    if (typeof flag !== "boolean") this.blame(member, "must be true or false");
    return flag === true;
  }

  /** An integer in [least, most]; `absent` where the member is missing. */
  integer(member: string, absent: number | null, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.optional(member);
    if (value === null) {
      if (absent === null) this.blame(member, "is missing");
      return absent ?? least;
    }
    if (!isWireInteger(value) || value < least || value > most) {
      this.blame(member, `must be an integer from ${least} to ${most}`);
      return least;
    }
    return value;
  }

  optionalInteger(member: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number | null {
    return this.optional(member) === null ? null : this.integer(member, null, least, most);
  }

  /** A version to compare with; -1, which is also what an absent one means, matches any. */
  version(): number {
    return this.integer("version", -1, -1, versionMax);
  }
}

/** True for the numbers of the wire: integers up to 2^53 - 1 in size, and not -0. */
export function isWireInteger(value: unknown): value is number {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}
