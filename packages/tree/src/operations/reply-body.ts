/**
 * What a write answers, behind the id.
 *
 * Every member keeps the replies to all writes until their clients have them, and only the member to which a client is connected ever
 * says them. So what most writes answer is kept as the stat, which the history holds for a while anyway, and becomes text where somebody
 * asks for it.
 */
import { encodeStat, flat, integerUnits, literal, literalUnits, type Stat, statUnits } from "@copse/protocol";

export interface ReplyBody {
  /** The members of the reply but its id, each with a comma before it (protocol/replies/reply). */
  readonly text: string;
  /** UTF-16 units of `text`, exactly: which replies are dropped follows from them, on every member alike. */
  readonly units: number;
}

export class TextBody implements ReplyBody {
  readonly text: string;

  constructor(text: string) {
    this.text = flat(text);
  }

  get units(): number {
    return this.text.length;
  }
}

/** The body of a create, set or setAcl that succeeded. */
export class StatBody implements ReplyBody {
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
  get members(): string {
    const path = this.path === null ? "" : `,"path":${literal(this.path)}`;
    return `${path},"stat":${encodeStat(this.stat)}`;
  }

  /** In one piece: a thousand may wait for the end of the turn, and of each the garbage collector would copy all the pieces. */
  get text(): string {
    return flat(`,"zxid":${this.zxid}${this.members}`);
  }

  get units(): number {
    const path = this.path === null ? 0 : ',"path":'.length + literalUnits(this.path);
    return ',"zxid":'.length + integerUnits(this.zxid) + path + ',"stat":'.length + statUnits(this.stat);
  }
}
