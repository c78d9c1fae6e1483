/**
 * What a write answers: its result as data, and the reply that is kept until its client has it.
 *
 * Every member keeps the replies to all writes, and only the member to which a client is connected ever says them. So what most writes
 * answer is kept as the stat, which the history holds for a while anyway, and becomes text where somebody asks for it.
 */
import { integerUnits, literal, literalUnits } from "../text/literal.ts";
import { flat } from "../text/text.ts";
import type { Refusal } from "./error-code.ts";
import { encodeBody, encodeFields, encodeObject, encodeRefused } from "./reply.ts";
import type { Results } from "./result.ts";
import { encodeStat, type Stat, statUnits } from "./stat.ts";

export interface WriteReply {
  /** The body (`reply`). */
  readonly text: string;
  /** UTF-16 units of the body, exactly: which replies are dropped follows from them, on every member alike. */
  readonly units: number;
}

/** What one op of a multi answers, or a write by itself. */
export type WriteResult =
  | StatReply
  | { readonly results: readonly WriteResult[] }
  | Results["delete" | "reconfig" | "stepTime" | "check" | "auth"];

/** The result of a create, set or setAcl, and the reply to it. */
export class StatReply implements WriteReply {
  readonly zxid: number;
  /** What a create has made, or null. */
  readonly path: string | null;
  readonly stat: Stat;

  constructor(zxid: number, path: string | null, stat: Stat) {
    this.zxid = zxid;
    this.path = path;
    this.stat = stat;
  }

  /** Without the zxid: what a multi repeats of each of its ops. */
  get fields(): string {
    const path = this.path === null ? "" : `,"path":${literal(this.path)}`;
    return `${path},"stat":${encodeStat(this.stat)}`;
  }

  /** In one piece: a thousand may wait for the end of the turn, and of each the garbage collector would copy all the pieces. */
  get text(): string {
    return flat(encodeBody(this.zxid, this.fields));
  }

  get units(): number {
    const path = this.path === null ? 0 : ',"path":'.length + literalUnits(this.path);
    return ',"zxid":'.length + integerUnits(this.zxid) + path + ',"stat":'.length + statUnits(this.stat);
  }
}

/** Any other reply, which is kept as its text. */
class TextReply implements WriteReply {
  readonly text: string;

  constructor(text: string) {
    this.text = flat(text);
  }

  get units(): number {
    return this.text.length;
  }
}

/** The reply to a write that was done. */
export function writeDone(zxid: number, result: WriteResult): WriteReply {
  return result instanceof StatReply ? result : new TextReply(encodeBody(zxid, fieldsOf(result)));
}

/** The reply to a write that was refused. */
export function writeRefused(zxid: number, refusal: Refusal): WriteReply {
  return new TextReply(encodeRefused(zxid, refusal));
}

/** A reply that a snapshot has kept as its text. */
export function keptReply(text: string): WriteReply {
  return new TextReply(text);
}

function fieldsOf(result: WriteResult): string {
  if (result instanceof StatReply) return result.fields;
  if (!("results" in result)) return encodeFields(result);
  return `,"results":[${result.results.map((one) => encodeObject(fieldsOf(one))).join(",")}]`;
}
