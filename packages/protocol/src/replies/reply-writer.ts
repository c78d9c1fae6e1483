/**
 * How one wire writes what a request answers: a writer for each op. A connection has the writer of its wire, and nothing above it knows
 * which wire that is.
 *
 * The ops that are asked most are written straight from what the tree holds: a value is kept as a JSON literal, and a stat that was written
 * before is given as its text (`StatText`). All others are data (`Results`), which is written as it is.
 */
import type { Value } from "../text/value.ts";
import { encodeData } from "../text/value.ts";
import type { Refusal } from "./error-code.ts";
import { encodeBody, encodeFields, encodeObject, encodeRefusal, encodeRefused, encodeReply } from "./reply.ts";
import type { Op, Results } from "./result.ts";
import { encodeStat, type Stat } from "./stat.ts";
import type { WriteReply } from "./write-reply.ts";

/** A stat as `encodeStat` gives it: written once for all who read the znode. */
export type StatText = string;

/** What an op adds to a reply, as its wire writes it. Only the writer looks inside. */
export type Fields = string;

/** A reply without its id, as its wire writes it: it waits for its turn in the queue of its connection. */
export type Body = string;

export interface ReplyWriter {
  /** Any op. */
  result<O extends Op>(op: O, result: Results[O]): Fields;
  /** @param edges the URLs of edges, where the znode is the configuration */
  get(value: Value | null, stat: StatText, edges?: readonly string[]): Fields;
  /** @param stat null where there is no znode */
  exists(stat: StatText | null): Fields;
  children(): ChildrenWriter;
  read(): ReadWriter;
  page(name: "paths" | "quotas"): PageWriter;
  subscribed(
    sub: number,
    state: { readonly nodes: readonly string[]; readonly isHidden: boolean; readonly isLast: boolean } | null,
  ): Fields;
  /** A body, from what the op adds. */
  body(zxid: number, fields: Fields): Body;
  refused(zxid: number, refusal: Refusal, cluster?: string): Body;
  written(reply: WriteReply): Body;
  /** The message. */
  reply(id: number, body: Body): string;
}

/** A list under way: how many items it has, and how long it is, in UTF-16 units. */
interface ListWriter {
  readonly count: number;
  readonly units: number;
}

export interface ChildrenWriter extends ListWriter {
  /** @param stat where each name comes with its stat */
  add(name: string, stat?: Stat): void;
  /** @param after the name that was looked at last, where the page does not end with it */
  end(stat: StatText, hasMore: boolean, after?: string | null): Fields;
}

/** The results of a batch of reads. */
export interface ReadWriter extends ListWriter {
  add(result: Fields): void;
  addRefusal(refusal: Refusal): void;
  end(): Fields;
}

export interface PageWriter extends ListWriter {
  add(item: unknown): void;
  end(hasMore: boolean): Fields;
}

class JsonList {
  readonly #name: string;
  readonly #items: string[] = [];
  units = 0;

  constructor(name: string) {
    this.#name = name;
  }

  get count(): number {
    return this.#items.length;
  }

  push(text: string): void {
    this.#items.push(text);
    this.units += text.length + 1;
  }

  get text(): string {
    return `,"${this.#name}":[${this.#items.join(",")}]`;
  }
}

class JsonPage extends JsonList implements PageWriter {
  add(item: unknown): void {
    this.push(JSON.stringify(item));
  }

  end(hasMore: boolean): Fields {
    return hasMore ? `${this.text},"more":true` : this.text;
  }
}

class JsonChildren extends JsonList implements ChildrenWriter {
  add(name: string, stat?: Stat): void {
    const text = JSON.stringify(name);
    this.push(stat === undefined ? text : `{"name":${text},"stat":${encodeStat(stat)}}`);
  }

  end(stat: StatText, hasMore: boolean, after: string | null = null): Fields {
    const list = `${this.text},"stat":${stat}`;
    return `${list}${hasMore ? ',"more":true' : ""}${after === null ? "" : `,"after":${JSON.stringify(after)}`}`;
  }
}

class JsonRead implements ReadWriter {
  readonly #list: JsonList = new JsonList("results");

  get count(): number {
    return this.#list.count;
  }

  get units(): number {
    return this.#list.units;
  }

  add(result: Fields): void {
    this.#list.push(encodeObject(result));
  }

  addRefusal(refusal: Refusal): void {
    this.#list.push(`{"error":${encodeRefusal(refusal)}}`);
  }

  end(): Fields {
    return this.#list.text;
  }
}

/** JSON over WebSocket. */
export const jsonReplies: ReplyWriter = {
  result: (_op, result) => encodeFields(result),
  get: (value, stat, edges = []) => `${encodeData(value)},"stat":${stat}${edges.length === 0 ? "" : `,"edges":${JSON.stringify(edges)}`}`,
  exists: (stat) => `,"stat":${stat ?? "null"}`,
  children: () => new JsonChildren("children"),
  read: () => new JsonRead(),
  page: (name) => new JsonPage(name),
  subscribed: (sub, state) => {
    if (state === null) return `,"sub":${sub},"resumed":true`;
    const { nodes, isHidden, isLast } = state;
    return `,"sub":${sub},"resumed":false,"nodes":[${nodes.join(",")}]${isHidden ? ',"denied":true' : ""}${isLast ? "" : ',"more":true'}`;
  },
  body: encodeBody,
  refused: encodeRefused,
  written: ({ text }) => text,
  reply: encodeReply,
};
