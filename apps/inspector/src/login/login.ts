/**
 * Who is at the page: a password, a token, or a login of an OpenID provider. It is kept in memory alone, and gone with the tab.
 */
import type { AuthReason, Credential } from "@copse/client";
import { begin, finish, isReturn, type Provider, refresh, type Tokens } from "./oidc.ts";

export class Login {
  /** The page's URL, without query and fragment. */
  readonly page: string;
  /** How the hub's page logs in with a provider; null where it does not. */
  provider: Provider | null = null;
  /** What went wrong with the newest attempt, for people. */
  problem: string | null = null;
  #credentials: readonly Credential[] = [];
  #tokens: Tokens | null = null;
  readonly #changed: () => void;

  /** @param changed somebody else is at the page from now on */
  constructor(page: string, changed: () => void) {
    this.page = page;
    this.#changed = changed;
  }

  /** True for a page to which a provider has sent somebody back. */
  readonly isReturning: boolean = isReturn(new URL(location.href));

  /** Asks the hub how one logs in, and takes what a provider has sent the page back with. */
  async prepare(): Promise<void> {
    try {
      const answer = await fetch(new URL("login.json", this.page));
      this.provider = answer.ok ? ((await answer.json()) as Provider | null) : null;
      if (!answer.ok && answer.status !== 404) this.problem = (await answer.text()).trim();
    } catch {
      // Without an answer one logs in with a password or a token.
    }
    if (this.provider === null || !this.isReturning) return;
    try {
      this.#take(await finish(this.provider, this.page, new URL(location.href)));
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }

  /** True while somebody is logged in. */
  get isIn(): boolean {
    return this.#credentials.length > 0;
  }

  /** True where what was proved goes on by itself. */
  get renews(): boolean {
    return this.#tokens?.refreshToken != null;
  }

  /** For the client. */
  async credentials(reason: AuthReason): Promise<readonly Credential[]> {
    const refreshToken = this.#tokens?.refreshToken ?? null;
    if (reason === "connect" || this.provider === null || refreshToken === null) return this.#credentials;
    const fresh = await refresh(this.provider, refreshToken);
    this.#take({ ...fresh, refreshToken: fresh.refreshToken ?? refreshToken });
    return this.#credentials;
  }

  withPassword(user: string, password: string): void {
    this.#tokens = null;
    this.#credentials =
      user === "super" ? [{ scheme: "super", credential: password }] : [{ scheme: "digest", credential: `${user}:${password}` }];
    this.#changed();
  }

  withToken(token: string): void {
    this.#take({ token: token.trim(), refreshToken: null });
    this.#changed();
  }

  /** Leaves for the provider. */
  async withProvider(): Promise<void> {
    if (this.provider !== null) await begin(this.provider, this.page);
  }

  out(): void {
    this.#tokens = null;
    this.#credentials = [];
    this.problem = null;
    this.#changed();
  }

  #take(tokens: Tokens): void {
    this.#tokens = tokens;
    this.#credentials = [{ scheme: "token", credential: tokens.token }];
    this.problem = null;
  }
}
