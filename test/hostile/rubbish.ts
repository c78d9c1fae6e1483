/**
 * Frames from a seed: requests that are nearly right, bent in one place or more, and bytes that never were a message.
 * Most are well-formed JSON: what is malformed closes its connection, and reaches no check after that.
 */
import type { Prng } from "@copse/testing/simulation";

/** A text frame, a binary one, or bytes below WebSocket. */
export type Rubbish = { readonly kind: "text"; readonly text: string } | { readonly kind: "binary" | "raw"; readonly bytes: Buffer };

/** Text that is put where a value stands. */
const values = [
  "null",
  "true",
  "0",
  "-0",
  "-1",
  "1e400",
  "-1e400",
  "0.5",
  "9007199254740993",
  "2147483648",
  '""',
  '"/"',
  '"//"',
  '"/fuzz/../a"',
  '"\\ud800"',
  '"/fuzz/\\udfff"',
  '"\\u0000"',
  '"__proto__"',
  "[]",
  "{}",
  "[[[[[[[[]]]]]]]]",
  '{"__proto__":{"op":"close"}}',
  '{"length":4294967295}',
  '{"toString":1,"valueOf":2}',
  '[{"op":"create","path":"/fuzz/a"}]',
] as const;

/** As large as an ACL may be, and one item too many now and then would not be an ACL at all. */
const largeAcl = `[{"perms":["read","write","create","delete","admin"],"scheme":"world","id":"anyone"},${Array.from(
  { length: 99 },
  (_, at) => `{"perms":["read"],"scheme":"digest","id":"u${at}:${"y".repeat(600)}"}`,
).join()}]`;

/** What ends or changes the connection itself: rare, so that the others are met. */
const closing = ["connect,timeout,session,lastZxid,cluster,auth,readOnly", "auth,scheme,credential", "close"].map((line) =>
  line.split(","),
);

const ops = [
  "create,path,data,ephemeral,sequential,container,ttl,acl,parents,guard",
  "get,path,watch,atLeast",
  "set,path,data,version,guard,ack",
  "set,path,data64,version",
  "delete,path,version,recursive",
  "exists,path,watch",
  "children,path,watch,stats,after,limit",
  "getAcl,path",
  "setAcl,path,acl,default,version",
  "multi,ops,guard",
  "read,ops",
  "sync",
  "addWatch,path,mode",
  "removeWatch,path,mode",
  "restoreWatches,since,data,exist,child,persistent,recursive",
  "subscribe,path,scope,since",
  "unsubscribe,sub",
  "ephemerals,prefix",
  "count,path",
  "whoami",
  "ensemble",
  "reconfig,version",
  "ping",
  "nonsense,path",
].map((line) => line.split(","));

export class RubbishMaker {
  readonly #random: Prng;

  constructor(random: Prng) {
    this.#random = random;
  }

  /** The next frame of a connection whose ids have come so far. */
  next(id: number): Rubbish {
    const { chance, pick } = this.#bound;
    if (chance(0.001)) return { kind: "binary", bytes: this.#bytes() };
    if (chance(0.001)) return { kind: "raw", bytes: this.#bytes() };
    let text = chance(0.9)
      ? this.#request(id)
      : `[${Array.from({ length: this.#random.below(5) }, (_, at) => this.#request(id + at)).join()}]`;
    for (let times = chance(0.02) ? 1 + this.#random.below(3) : 0; times > 0; times--) text = this.#bend(text);
    if (chance(0.002)) text = "[".repeat(pick([65, 1_000, 100_000])) + text;
    return { kind: "text", text };
  }

  get #bound(): { chance: (probability: number) => boolean; pick: <T>(list: readonly T[]) => T } {
    return { chance: (probability) => this.#random.chance(probability), pick: (list) => this.#random.pick(list) };
  }

  #request(id: number): string {
    const { chance, pick } = this.#bound;
    const [op = "", ...members] = pick(chance(0.004) ? closing : ops);
    const present = members.filter(() => chance(0.8)).map((name) => `"${name}":${chance(0.12) ? pick(values) : this.#value(name)}`);
    const shown = chance(0.997) ? `"id":${id}` : `"id":${pick(values)}`;
    return `{${[shown, `"op":"${op}"`, ...present].join()}}`;
  }

  /** A value as it should be. */
  #value(name: string): string {
    const { chance, pick } = this.#bound;
    switch (name) {
      case "path":
        if (chance(0.01)) return `"/fuzz${"/x".repeat(pick([200, 300, 2_000]))}"`;
        return pick(['"/fuzz"', '"/fuzz/a"', '"/fuzz/b"', '"/fuzz/a/c"', '"/fuzz/a/c/d"', '"/nothing"', '"/fuzz/s-"']);
      case "data":
        return chance(0.02) ? `"${"x".repeat(pick([1_000, 100_000, 1_048_577]))}"` : '"some data"';
      case "data64":
        return pick(['"AAEC"', '"/w=="', '"!"']);
      case "version":
        return pick(["-1", "0", "1"]);
      case "ops":
        return `[${Array.from({ length: this.#random.below(6) }, () => this.#request(1)).join()}]`;
      case "acl":
      case "default":
        return pick([
          '[{"perms":["read","write","create","delete","admin"],"scheme":"world","id":"anyone"}]',
          '[{"perms":["read"],"scheme":"auth","id":""}]',
          '[{"perms":["read"],"scheme":"scrypt","id":"ann:x"}]',
          largeAcl,
          "[]",
        ]);
      case "guard":
        return pick(['{"path":"/fuzz","czxid":1}', "[]"]);
      case "mode":
        return pick(['"persistent"', '"recursive"', '"data"']);
      case "scope":
        return pick(['"node"', '"children"', '"tree"']);
      case "session":
        return pick(['{"id":"nobody","secret":"none"}', "null"]);
      case "scheme":
        return pick(['"digest"', '"world"', '"unknown"']);
      case "credential":
        return pick(['"ann:secret"', '"ann"']);
      case "auth":
        return '[{"scheme":"digest","credential":"ann:secret"}]';
      case "data,exist,child":
        return '["/fuzz"]';
      default:
        return pick(["true", "false", "0", "1", "3", '"x"']);
    }
  }

  /** One change of the text: cut, doubled, or another character. */
  #bend(text: string): string {
    const at = this.#random.below(text.length);
    switch (this.#random.below(4)) {
      case 0:
        return text.slice(0, at);
      case 1:
        return text.slice(0, at) + text.slice(at + 1 + this.#random.below(8));
      case 2:
        return text.slice(0, at) + this.#random.pick(['"', "{", "[", "\\", "\u0000", "𝄞", "}", "-"]) + text.slice(at + 1);
      default:
        return text + text.slice(at);
    }
  }

  #bytes(): Buffer {
    return Buffer.from(Array.from({ length: 2 + this.#random.below(200) }, () => this.#random.below(256)));
  }
}
