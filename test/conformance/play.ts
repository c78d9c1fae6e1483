/**
 * Plays a script on two stores, step by step, and compares what each says and whom it tells.
 */
import { isDeepStrictEqual } from "node:util";
import { type Step, sessionCount } from "./script.ts";
import type { Armed, Outcome, Request, Store, StoreEvent, StoreSession } from "./store.ts";

const timeoutMs = 30_000;

export class Difference extends Error {
  override readonly name: string = "Difference";
}

/** What one store made of one step. */
interface Played {
  readonly outcome: Outcome;
  /** By session. */
  readonly events: readonly (readonly StoreEvent[])[];
}

let scripts = 0;

/** @returns how many operations were compared. @throws Difference at the first step that the stores take differently */
export async function play(script: readonly Step[], [one, other]: readonly [Store, Store]): Promise<number> {
  const root = `/script-${++scripts}`;
  const players = [await Player.begin(one, root), await Player.begin(other, root)] as const;
  let operations = 0;
  try {
    for (const [at, step] of script.entries()) {
      const played = async (player: Player): Promise<Played> =>
        player.play(step).catch((error: unknown) => {
          throw new Error(`step ${at}: ${JSON.stringify(step)}`, { cause: error });
        });
      const [a, b] = [await played(players[0]), await played(players[1])];
      operations += step.kind === "away" ? step.meanwhile.length + 1 : 1;
      if (isDeepStrictEqual(a, b)) continue;
      throw new Difference(`step ${at}: ${JSON.stringify(step)}\n${one.name}: ${JSON.stringify(a)}\n${other.name}: ${JSON.stringify(b)}`);
    }
    if (!isDeepStrictEqual(order(one.zxids), order(other.zxids))) throw new Difference("txns have another order");
  } finally {
    await players[0].end();
    await players[1].end();
  }
  return operations;
}

/** The places that labels take when they are sorted by what they stand for. */
function order(zxids: readonly number[]): number[] {
  return zxids
    .map((zxid, label) => [zxid, label] as const)
    .sort(([a], [b]) => a - b)
    .map(([, label]) => label);
}

class Player {
  readonly #store: Store;
  readonly #root: string;
  readonly #sessions: StoreSession[] = [];
  readonly #sequential: string[] = [];
  /** One-shot watches that stand, of each session. */
  #armed: Map<string, Set<string>>[] = [];

  private constructor(store: Store, root: string) {
    this.#store = store;
    this.#root = root;
  }

  static async begin(store: Store, root: string): Promise<Player> {
    const player = new Player(store, root);
    store.begin();
    for (let at = 0; at < sessionCount; at++) await player.#open(at);
    await player.#sessions[0]!.ask({ op: "create", path: root, data: "" });
    return player;
  }

  async end(): Promise<void> {
    for (const session of this.#sessions) await session.close();
  }

  async play(step: Step): Promise<Played> {
    const session = this.#sessions[step.session]!;
    switch (step.kind) {
      case "ask": {
        const outcome = await this.#ask(step.session, step.request);
        return { outcome, events: await this.#events(step.session) };
      }
      case "close": {
        await session.close();
        await this.#open(step.session);
        // In what order the ephemerals of a session go is copse's own.
        return { outcome: {}, events: (await this.#events(null)).map(sorted) };
      }
      case "away": {
        await session.cut();
        const played: Played[] = [];
        for (const one of step.meanwhile) {
          if (one.kind !== "ask") throw new Error("only requests fit into an absence");
          const outcome = await this.#ask(one.session, one.request);
          played.push({ outcome, events: await this.#events(one.session, step.session) });
        }
        await session.resume(this.#armedOf(step.session));
        // One event for each op and path, where ZooKeeper tells a data and a child watch of the same deletion.
        const events = (await this.#events(null)).map((all) =>
          sorted(all).filter((event, at, list) => !isDeepStrictEqual(event, list[at - 1])),
        );
        return { outcome: { meanwhile: played }, events };
      }
    }
  }

  async #open(at: number): Promise<void> {
    this.#sessions[at] = await this.#store.open(timeoutMs);
    this.#armed[at] = new Map(["data", "exist", "child"].map((kind) => [kind, new Set<string>()]));
  }

  async #ask(at: number, request: Request): Promise<Outcome> {
    const absolute = this.#absolute(request);
    const outcome = (await this.#unseen(at, absolute)) ?? (await this.#sessions[at]!.ask(absolute));
    if (request["sequential"] === true && typeof outcome["path"] === "string") this.#sequential.push(outcome["path"]);
    if (request["watch"] === true && outcome["error"] === undefined) this.#arm(at, absolute, outcome);
    return outcome;
  }

  /** ZooKeeper 3.8.0 shows the stat of what may not be read (ZOOKEEPER-2590, mended in 3.9): neither store is asked then. */
  async #unseen(at: number, { op, path }: Request): Promise<Outcome | null> {
    if (op !== "exists") return null;
    const { error } = await this.#sessions[at]!.ask({ op: "get", path });
    return error === "NO_AUTH" ? { error } : null;
  }

  #arm(at: number, { op, path }: Request, { stat }: Outcome): void {
    const kind = op === "children" ? "child" : stat === null ? "exist" : "data";
    this.#armed[at]!.get(kind)!.add(path);
  }

  #armedOf(at: number): Armed {
    const [data, exist, child] = ["data", "exist", "child"].map((kind) => [...this.#armed[at]!.get(kind)!]);
    return { data: data!, exist: exist!, child: child! };
  }

  /** What each session has been told, once all has arrived. The one who asked hears what it did before its reply. */
  async #events(asker: number | null, away: number | null = null): Promise<StoreEvent[][]> {
    const events: StoreEvent[][] = [];
    for (const [at, session] of this.#sessions.entries()) {
      if (at === away) {
        events.push([]);
        continue;
      }
      const before = at === asker ? session.takeEvents() : { own: [], others: [] };
      await session.ask({ op: "exists", path: "/nothing-here" });
      const { own, others } = session.takeEvents();
      const all = [...before.own, ...before.others, ...own, ...others];
      if (at === asker && before.own.length !== all.length) throw new Difference(`${this.#store.name}: an event came after the reply`);
      for (const event of all) this.#disarm(at, event);
      events.push(all);
    }
    return events;
  }

  #disarm(at: number, { event, path }: StoreEvent): void {
    const armed = this.#armed[at]!;
    if (event === "childrenChanged") armed.get("child")!.delete(path);
    else for (const kind of event === "deleted" ? ["data", "exist", "child"] : ["data", "exist"]) armed.get(kind)!.delete(path);
  }

  #absolute(request: Request): Request {
    const changed: Record<string, unknown> = { ...request };
    for (const name of ["path", "prefix"]) if (typeof changed[name] === "string") changed[name] = this.#path(changed[name]);
    if (Array.isArray(changed["ops"])) changed["ops"] = (changed["ops"] as Request[]).map((one) => this.#absolute(one));
    for (const name of Object.keys(changed)) if (changed[name] === undefined) delete changed[name];
    return changed as Request;
  }

  #path(path: string): string {
    if (!path.startsWith("#")) return this.#root + path;
    const [mark = "", ...rest] = path.split("/");
    const known = this.#sequential[Number(mark.slice(1)) % Math.max(1, this.#sequential.length)] ?? `${this.#root}/a`;
    return [known, ...rest].join("/");
  }
}

function sorted(events: readonly StoreEvent[]): StoreEvent[] {
  return [...events].sort((a, b) => `${a.path} ${a.event}`.localeCompare(`${b.path} ${b.event}`));
}
