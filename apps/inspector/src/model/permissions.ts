/**
 * What one may not do with the selected znode, and why: asked before it is offered.
 */
import type { Copse, Permission } from "@copse/client";

const asked: readonly Permission[] = ["write", "delete", "admin"];

export class Permissions {
  readonly #copse: Copse;
  readonly #changed: () => void;
  #of = "";
  #refusals: ReadonlyMap<Permission, string> = new Map();
  /** Why the znode may not be read, or null where that is not known. */
  whyHidden: string | null = null;

  constructor(copse: Copse, changed: () => void) {
    this.#copse = copse;
    this.#changed = changed;
  }

  /** Why one may not do this with the znode that was looked at; null where one may, or nobody has said. */
  refusal(permission: Permission): string | null {
    return this.#refusals.get(permission) ?? null;
  }

  /** Looks at a znode, again where its state, or what one has proved, is another. */
  look(path: string, state: string): void {
    const of = `${path} ${state} ${this.#copse.identities.get().length}`;
    if (of === this.#of || this.#copse.state !== "connected") return;
    this.#of = of;
    this.#refusals = new Map();
    this.whyHidden = null;
    void this.#ask(path, state === "hidden", of);
  }

  async #ask(path: string, isHidden: boolean, of: string): Promise<void> {
    try {
      const said = await Promise.all((isHidden ? (["read"] as const) : asked).map((permission) => this.#copse.explain(path, permission)));
      if (of !== this.#of) return;
      if (isHidden) this.whyHidden = said[0]!.because;
      else this.#refusals = new Map(said.flatMap(({ allowed, because }, at) => (allowed ? [] : [[asked[at]!, because] as const])));
      this.#changed();
    } catch {
      // An older server can't say: everything is offered, and refused where it must be.
    }
  }
}
