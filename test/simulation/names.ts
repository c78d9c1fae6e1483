/**
 * One znode that only whoever has a token may read, tokens that end, rules that hide it by turns, and revocations (S17): what it holds never
 * travels to anyone who may not read it then.
 */
import { type AclItem, Copse, type Credential } from "@copse/client";
import type { ClientConnection, Prng, SimulatedEnsemble, World } from "@copse/testing/simulation";
import { violate } from "./checkers/invariants.ts";
import { insisting } from "./insisting.ts";

const path = "/named";
const rulesPath = "/copse/rules";
/** For spies with a token that has not ended. */
const namedMark = "named-";
/** For nobody. */
const hiddenMark = "hidden-";
const named: AclItem[] = [
  { scheme: "token", id: "sim:spy", perms: ["read"] },
  { scheme: "world", id: "anyone", perms: ["write", "admin", "create", "delete"] },
];
const open: AclItem[] = [{ scheme: "world", id: "anyone", perms: ["read", "write", "admin", "create", "delete"] }];
const hiding = JSON.stringify({
  version: 1,
  otherwise: "allow",
  rules: [{ path, allow: [{ perms: ["write", "admin", "create", "delete"], scheme: "world", id: "anyone" }] }],
});
/** A frame may leave some turns after it was made, in milliseconds. */
const slackMs = 500;

interface Spy {
  client: Copse;
  /** When the newest token that it was given ends, on the wall clock of the world. */
  endsAt: number;
}

export class Names {
  readonly #world: World;
  readonly #ensemble: SimulatedEnsemble;
  readonly #random: Prng;
  readonly #urls: readonly string[];
  readonly #spies: Map<ClientConnection["client"], Spy> = new Map();
  #isOver = false;

  constructor(world: World, ensemble: SimulatedEnsemble, random: Prng, urls: readonly string[]) {
    this.#world = world;
    this.#ensemble = ensemble;
    this.#random = random;
    this.#urls = urls;
  }

  stop(): void {
    this.#isOver = true;
  }

  /** Whatever is sent to any client. */
  toClient({ client, node }: ClientConnection, text: string): void {
    if (text.includes(hiddenMark)) violate("S17", `what rules or a revocation hide was sent: ${text.slice(0, 200)}`);
    if (!text.includes(namedMark)) return;
    const spy = this.#spies.get(client);
    if (spy === undefined) violate("S17", `what a token alone may read was sent to a client without one: ${text.slice(0, 200)}`);
    else if (node.wall > spy.endsAt + slackMs)
      violate("S17", `sent ${node.wall - spy.endsAt} ms after the token had ended: ${text.slice(0, 200)}`);
  }

  /** Hides it by rules, or revokes who may read it, writes what nobody may read, and gives it back: each only after what came before. */
  async keep(): Promise<void> {
    const until = insisting(() => this.#pause());
    const client = new Copse(this.#urls, { sessionTimeoutMs: 5_000, ports: this.#ensemble.clientPorts(1) });
    await until(() => client.create(path, `${namedMark}0`, { acl: named, parents: true }), "NODE_EXISTS");
    await until(() => client.create(rulesPath, ""), "NODE_EXISTS");
    for (let count = 1; !this.#isOver; count++) {
      const isRevoked = this.#random.chance(0.5);
      const keepSessions = this.#random.chance(0.5);
      if (isRevoked) await until(() => client.revoke("token sim:spy", { keepSessions }));
      else await until(() => client.set(rulesPath, hiding));
      await until(() => client.set(path, `${hiddenMark}${count}`));
      await this.#pause();
      await until(() => client.set(path, `${namedMark}${count}`));
      if (isRevoked) await until(() => client.revoke("token sim:spy", { before: 0 }));
      else await until(() => client.set(rulesPath, ""));
      for (let writes = this.#random.between(1, 8); writes > 0 && !this.#isOver; writes--) {
        await this.#pause();
        await until(() => client.set(path, `${namedMark}${count}.${writes}`));
      }
    }
    // What the others have followed is compared with what there is.
    await until(() => client.set(path, "open"));
    await until(() => client.setAcl(path, open));
    await client.close();
  }

  /** Follows and reads all the time, renewing its token or not; who was shut out comes back. */
  async spy(readOnly: boolean): Promise<void> {
    const ports = this.#ensemble.clientPorts(this.#random.between(0.95, 1.05));
    const spy = { endsAt: 0 } as Spy;
    this.#spies.set(ports, spy);
    const auth = ({ reason }: { reason: string }): Credential[] => {
      if (reason === "expiring" && this.#random.chance(0.4)) return [];
      const iat = 1e12 + this.#world.now;
      const exp = iat + this.#random.between(1_500, 8_000);
      spy.endsAt = Math.max(spy.endsAt, exp);
      return [{ scheme: "token", credential: JSON.stringify({ sub: "spy", iat, exp }) }];
    };
    const begin = (): void => {
      spy.client = new Copse(this.#urls, { sessionTimeoutMs: 5_000, readOnly, auth, ports });
      spy.client.observe(path, { scope: "node" }, { state: () => {}, changes: () => {}, failed: () => {} });
      void this.#watch(spy.client);
    };
    begin();
    while (!this.#isOver) {
      await this.#pause();
      if (spy.client.state === "closed") begin();
      else await spy.client.get(path, { timeoutMs: 1_000 }).catch(() => {});
    }
    await spy.client.close();
  }

  async #watch(client: Copse): Promise<void> {
    try {
      for await (const _ of client.watch(path)) await client.get(path, { timeoutMs: 1_000 }).catch(() => {});
    } catch {
      // The client was shut out; the next one watches too.
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#world.after(this.#random.between(5, 250), resolve));
  }
}
