/**
 * A registry of services: instances register themselves, clients discover them live and pick one.
 *
 * An instance is an ephemeral `ROOT/NAME/ID` whose data is JSON. Invariants: an instance is listed from the moment `register` resolves
 * until it closes or its session expires, and registers again by itself after a lost session; one that drains is listed and never
 * picked; weights are relative, and 0 is never picked.
 *
 * Failure story: an instance that crashes is picked until its session expires: try another where a call fails. While the
 * client has no connection, it picks among those that it knew last.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { type Copse, CopseError, type Store } from "@copse/client";
import { nameOf } from "@copse/client/path";
import { nanoid } from "nanoid";
import { type KeepOptions, type PersistentEphemeral, persistentEphemeral } from "./persistent-ephemeral.ts";
import { liveChildren } from "./waiting/live-children.ts";

export interface ServiceOffer {
  readonly url: string;
  readonly zone?: string;
  /** Share among the instances; 1 unless said otherwise. */
  readonly weight?: number;
  /** It takes no new work. */
  readonly isDraining?: boolean;
  /** What else clients want to know, as JSON. */
  readonly meta?: Readonly<Record<string, unknown>>;
}

export interface ServiceInstance extends ServiceOffer {
  readonly id: string;
  readonly weight: number;
  readonly isDraining: boolean;
}

export interface Registration extends PersistentEphemeral {
  readonly id: string;
  /** Changes a part of the offer. */
  update(change: Partial<ServiceOffer>): Promise<void>;
  /** From now on nobody picks this instance; what runs may end. */
  drain(): Promise<void>;
}

export interface Discovery {
  /** All instances, in the order of their ids, those that drain included. */
  readonly instances: Store<readonly ServiceInstance[]>;
  /** Resolves once the instances are known. */
  ready(): Promise<void>;
  /** One of the instances by chance, each as often as its weight says; one of the zone where it has any. Null where there is none. */
  pick(options?: { readonly zone?: string; readonly random?: () => number }): ServiceInstance | null;
  /** Follows no more. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Services {
  /** Registers an instance, under a random id unless one is given. @throws CopseError SCHEMA where the offer makes no sense */
  register(name: string, offer: ServiceOffer, options?: KeepOptions & { readonly id?: string }): Promise<Registration>;
  /** Follows a service until it is closed. Asked again, it gives the same discovery: whoever closes it closes it for all. */
  discover(name: string): Discovery;
}

const known: WeakMap<Copse, Map<string, Services>> = new WeakMap();

/**
 * The registry below `root`: one for each client and root.
 * @example
 * const self = await services(copse).register("payments", { url: "https://10.0.0.7:8443" });
 * const found = services(copse).discover("payments");
 * await found.ready();
 * console.log(found.pick()?.url);
 * found.close();
 * await self.close();
 */
export function services(copse: Copse, { root = "/services" }: { readonly root?: string } = {}): Services {
  const byRoot = known.get(copse) ?? new Map<string, Services>();
  known.set(copse, byRoot);
  const registry = byRoot.get(root) ?? createServices(copse, root);
  byRoot.set(root, registry);
  return registry;
}

function createServices(copse: Copse, root: string): Services {
  const discoveries = new Map<string, Discovery>();
  return {
    register: async (name, offer, { id = nanoid(), ...options } = {}) => {
      const path = `${root}/${name}/${id}`;
      let present = checked(offer, path);
      const kept = await persistentEphemeral(copse, path, JSON.stringify(present), options);
      const update = async (change: Partial<ServiceOffer>): Promise<void> => {
        present = checked({ ...present, ...change }, path);
        await kept.set(JSON.stringify(present));
      };
      return Object.assign(kept, { id, update, drain: () => update({ isDraining: true }) });
    },
    discover: (name) => {
      const discovery: Discovery =
        discoveries.get(name) ??
        discover(copse, `${root}/${name}`, () => {
          if (discoveries.get(name) === discovery) discoveries.delete(name);
        });
      discoveries.set(name, discovery);
      return discovery;
    },
  };
}

function discover(copse: Copse, path: string, closed: () => void): Discovery {
  const instances = liveChildren(copse, path, (znode): ServiceInstance => {
    const offer = checked(JSON.parse(znode.data ?? "") as ServiceOffer, znode.path);
    return { ...offer, id: nameOf(znode.path), weight: offer.weight ?? 1, isDraining: offer.isDraining ?? false };
  });
  const stop = instances.subscribe(() => {});
  const close = async (): Promise<void> => {
    stop();
    closed();
  };
  return {
    instances,
    ready: () => instances.ready(),
    pick: ({ zone, random = Math.random } = {}) => {
      const open = instances.get().filter(({ weight, isDraining }) => weight > 0 && !isDraining);
      const near = open.filter((instance) => instance.zone === zone);
      return byWeight(zone === undefined || near.length === 0 ? open : near, random());
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @param chance in [0, 1) */
function byWeight(instances: readonly ServiceInstance[], chance: number): ServiceInstance | null {
  let left = chance * instances.reduce((sum, { weight }) => sum + weight, 0);
  for (const instance of instances) {
    left -= instance.weight;
    if (left < 0) return instance;
  }
  return instances[instances.length - 1] ?? null;
}

function checked(offer: ServiceOffer, path: string): ServiceOffer {
  const { url, weight = 1 } = offer;
  if (typeof url !== "string" || url === "") throw new CopseError("SCHEMA", "an instance has a url", { path });
  if (!Number.isFinite(weight) || weight < 0) throw new CopseError("SCHEMA", "weight must be a non-negative number", { path });
  return offer;
}
