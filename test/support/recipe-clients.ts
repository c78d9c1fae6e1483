/** Clients of one simulated ensemble, and looks at where their recipes stand. */
import type { Copse } from "@copse/client";
import type { TestEnsemble } from "@copse/testing";
import { settled } from "./settled.ts";

/** What a promise has come to by now: its value, or null. */
export function peek<T>(promise: Promise<T>): () => T | null {
  let value: T | null = null;
  promise.then(
    (given) => {
      value = given;
    },
    () => {},
  );
  return () => value;
}

export async function clientsOf(hub: TestEnsemble, count: number): Promise<Copse[]> {
  return Promise.all(Array.from({ length: count }, () => hub.connect()));
}

/** Long enough for whoever can go on to do so: a recipe takes several round trips. */
export async function quiet(clients: readonly Copse[]): Promise<void> {
  for (let round = 0; round < 5; round++) {
    for (const copse of clients) await copse.sync();
    await settled();
  }
}

/** Znodes that sessions own below a path: what must be gone once everybody has left. */
export function ghosts(hub: TestEnsemble, path: string): string[] {
  const { tree } = hub.member();
  const found: string[] = [];
  const walk = (at: string): void => {
    const znode = tree.find(at);
    if (znode === undefined) return;
    if (znode.kind.owner !== null) found.push(at);
    for (const child of znode.children?.after(null) ?? []) walk(`${at}/${child.name}`);
  };
  walk(path);
  return found;
}
