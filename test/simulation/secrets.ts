/**
 * One znode that is readable by turns, and who would like to know (S17): what it holds while nobody may read it
 * never travels to any client.
 */
import { type AclItem, type Copse, isCopseError } from "@copse/client";
import type { Prng, World } from "@copse/testing/simulation";
import { violate } from "./checkers/invariants.ts";
import { insisting } from "./insisting.ts";

const path = "/gate";
const secretMark = "secret-";
const closed: AclItem[] = [{ scheme: "world", id: "anyone", perms: ["write", "admin", "create", "delete"] }];
const open: AclItem[] = [{ scheme: "world", id: "anyone", perms: ["read", "write", "admin", "create", "delete"] }];

export class Secrets {
  readonly #world: World;
  readonly #random: Prng;
  readonly #client: () => Copse;
  #isOver = false;

  constructor(world: World, random: Prng, client: () => Copse) {
    this.#world = world;
    this.#random = random;
    this.#client = client;
  }

  /** Whatever is sent to any client. */
  toClient(text: string): void {
    if (text.includes(secretMark)) violate("S17", `what nobody may read was sent: ${text.slice(0, 200)}`);
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Closes, writes a secret, writes something else, opens: each only after what came before. */
  async keep(): Promise<void> {
    const client = this.#client();
    const until = insisting(() => this.#pause());
    for (let count = 1; !this.#isOver; count++) {
      await until(() => client.create(path, "open-0", { parents: true }), "NODE_EXISTS");
      await until(() => client.setAcl(path, closed));
      await until(() => client.set(path, `${secretMark}${count}`));
      await this.#pause();
      await until(() => client.set(path, `open-${count}`));
      await until(() => client.setAcl(path, open));
      await this.#pause();
    }
    await client.close();
  }

  /** Follows and reads all the time. */
  async spy(): Promise<void> {
    const client = this.#client();
    client.observe("/", { scope: "tree" }, { state: () => {}, changes: () => {}, failed: () => {} });
    const events = client.watch(path, { mode: "persistent" });
    (async () => {
      for await (const _ of events) await client.get(path).catch(() => {});
    })().catch(() => {});
    while (!this.#isOver) {
      await this.#pause();
      await client.get(path, { linearizable: this.#random.chance(0.5), timeoutMs: 2_000 }).catch(ifCopseError);
    }
    await client.close();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#world.after(this.#random.between(5, 150), resolve));
  }
}

function ifCopseError(error: unknown): void {
  if (!isCopseError(error)) throw error;
}
