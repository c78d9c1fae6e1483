/**
 * What recipes that show things to many have to do under faults: in the end everybody sees what is so, and what was shown before
 * was never made up.
 */
import { type Copse, isCopseError } from "@copse/client";
import { barrier } from "@copse/recipes/barrier";
import { group } from "@copse/recipes/group";
import { presence } from "@copse/recipes/presence";
import { services } from "@copse/recipes/service";
import { type CachedZnode, treeCache } from "@copse/recipes/tree-cache";
import { violate } from "./checkers/invariants.ts";

/** What such a client needs of its run. */
export interface Stage {
  readonly clients: number;
  readonly isOver: () => boolean;
  readonly now: () => number;
  pause(least: number, most: number): Promise<void>;
  /** Does `work` until the run is over; what fails for the client's sake is tried again. */
  repeat(work: () => Promise<void>): Promise<void>;
  /** Something was got. */
  granted(): void;
}

/** How long it may take, once all is healed, until everybody sees everything, in milliseconds. */
const seenMsMax = 40_000;

export class Registries {
  readonly #stage: Stage;
  /** Who has seen all that there is to see, by recipe: nobody leaves before. */
  readonly #seen: Map<string, number> = new Map();
  /** Since when the barrier is known to be up; null while it may be down. */
  #upSince: number | null = null;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async join(copse: Copse, name: string): Promise<void> {
    const { members, join } = group(copse, "/group");
    const stop = members.subscribe(() => {});
    const membership = await join(null, { id: name });
    await this.#stage.repeat(async () => {
      await this.#stage.pause(50, 500);
      await membership.set(String(this.#stage.now()));
    });
    await this.#allSee("group", name, () => members.get().length === this.#stage.clients);
    stop();
    await membership.close();
  }

  async register(copse: Copse, name: string): Promise<void> {
    const found = services(copse).discover("simulated");
    const self = await services(copse).register("simulated", { url: "https://somewhere" }, { id: name });
    let weight = 1;
    await this.#stage.repeat(async () => {
      await this.#stage.pause(50, 500);
      await self.update({ weight: ++weight });
    });
    const own = (): boolean => found.instances.get().some((one) => one.id === name && one.weight === weight);
    await this.#allSee("service", name, () => own() && found.instances.get().length === this.#stage.clients && found.pick() !== null);
    await found.close();
    await self.close();
  }

  async appear(copse: Copse, name: string): Promise<void> {
    const room = await presence(copse, "/room", { user: name, id: name, goneMs: 500 });
    const stop = room.others.subscribe(() => {});
    let said = "";
    await this.#stage.repeat(async () => {
      await this.#stage.pause(50, 500);
      said = `${name} at ${this.#stage.now()}`;
      await room.update(said);
    });
    const here = (): number => room.others.get().filter(({ state }) => state === "online").length;
    await this.#allSee("presence", name, () => here() === this.#stage.clients - 1);
    stop();
    await room.close();
  }

  /** The first client puts the barrier up and down; the others pass it, and never while it stays up. */
  async pass(copse: Copse, name: string): Promise<void> {
    const gate = barrier(copse, "/gate");
    if (name.endsWith("0")) {
      await this.#stage.repeat(async () => {
        await gate.raise();
        this.#upSince = this.#stage.now();
        await this.#stage.pause(50, 600);
        this.#upSince = null;
        await gate.lower();
        await this.#stage.pause(50, 300);
      });
      this.#upSince = null;
      await this.#insist(() => gate.lower());
      return;
    }
    await this.#stage.repeat(async () => {
      const from = this.#stage.now();
      await gate.passed({ waitMs: 4_000 });
      if (this.#upSince !== null && this.#upSince <= from) violate("recipes", "a barrier was passed that was up all the time");
      this.#stage.granted();
    });
  }

  /** Everybody changes a tree and keeps it; in the end what is kept is what is there. */
  async keep(copse: Copse, name: string): Promise<void> {
    const cache = treeCache(copse, "/cache");
    const stop = cache.subscribe(() => {});
    let number = 0;
    await this.#stage.repeat(async () => {
      const path = `/cache/${name}/${number++ % 5}`;
      if (number % 7 === 0) await copse.delete(path);
      else await copse.create(path, String(number), { parents: true }).catch(() => copse.set(path, String(number)));
    });
    await this.#insist(() => copse.set(`/cache/${name}`, "the last"));
    const last = (): boolean =>
      [...(cache.get()?.children.values() ?? [])].filter(({ data }) => data === "the last").length === this.#stage.clients;
    await this.#allSee("tree cache", name, last);
    await this.#insist(async () => {
      await copse.sync();
      const kept = flat(cache.get());
      for (const [path, data] of kept) {
        const { data: there } = await copse.get(path, { linearizable: true });
        if (there !== data) violate("recipes", `a cached tree holds ${data} at ${path}, and there is ${there}`);
      }
      if ((await copse.count("/cache")) !== kept.length - 1) violate("recipes", "a cached tree has another size than the tree");
    });
    stop();
  }

  /** All is healed: everybody has to see what is so, and stays until all others have. */
  async #allSee(recipe: string, name: string, isSeen: () => boolean): Promise<void> {
    const end = this.#stage.now() + seenMsMax;
    while (!isSeen()) {
      if (this.#stage.now() > end) violate("recipes", `${name} does not see all of the ${recipe}`);
      await this.#stage.pause(100, 200);
    }
    this.#stage.granted();
    this.#seen.set(recipe, (this.#seen.get(recipe) ?? 0) + 1);
    while ((this.#seen.get(recipe) ?? 0) < this.#stage.clients) await this.#stage.pause(100, 200);
  }

  async #insist(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (isCopseError(error, "NO_NODE") || !isCopseError(error)) throw error;
        await this.#stage.pause(50, 100);
      }
    }
  }
}

function flat(root: CachedZnode | null): [path: string, data: string | null][] {
  if (root === null) return [];
  return [[root.path, root.data], ...[...root.children.values()].flatMap(flat)];
}
