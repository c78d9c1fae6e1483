/**
 * How the page logs people in: what the metadata of the issuer say, for `login.json` and for the page's policy.
 *
 * Invariant: the page is never held up by an issuer; what was learned last counts while it does not answer.
 */
import type { IdentitySettings } from "./identity-file.ts";
import { discover, isTrustedUrl } from "./key-set.ts";

/** What the page is told; see the inspector's `login/oidc`. */
export interface PageProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
}

/** How long metadata count, and how often an issuer that does not answer is asked, in milliseconds. */
const freshMs = 600_000;
const againMs = 5_000;

export class PageLogins {
  readonly #settings: () => IdentitySettings;
  #known: { readonly of: IdentitySettings; readonly at: number; readonly provider: PageProvider | null } | null = null;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;

  constructor(settings: () => IdentitySettings) {
    this.#settings = settings;
  }

  /** The provider; null where the page logs in with none, "unknown" where its issuer does not answer. */
  async provider(): Promise<PageProvider | null | "unknown"> {
    const settings = this.#settings();
    if (settings.page === null) return null;
    const isFresh = this.#known?.of === settings && performance.now() - this.#known.at < freshMs;
    if (!isFresh) await this.#ask(settings);
    return this.#known?.of === settings ? this.#known.provider : "unknown";
  }

  /** Origins that the page asks for tokens. */
  get origins(): readonly string[] {
    const settings = this.#settings();
    if (settings.page === null) return [];
    if (this.#known?.of !== settings) void this.#ask(settings);
    const provider = this.#known?.of === settings ? this.#known.provider : null;
    const issuer = settings.issuers.find(({ name }) => name === settings.page?.issuer)!.issuer;
    const urls = provider === null ? [issuer] : [provider.tokenEndpoint];
    return urls.filter((url) => isTrustedUrl(url)).map((url) => new URL(url).origin);
  }

  #ask(settings: IdentitySettings): Promise<void> {
    if (this.#asking !== null) return this.#asking;
    if (performance.now() - this.#askedAt < againMs && this.#known?.of === settings) return Promise.resolve();
    this.#askedAt = performance.now();
    this.#asking = this.#fetch(settings).finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fetch(settings: IdentitySettings): Promise<void> {
    const { page, issuers } = settings;
    const issuer = issuers.find(({ name }) => name === page?.issuer);
    if (page === null || issuer === undefined) return;
    try {
      const { authorization_endpoint: authorization, token_endpoint: token } = await discover(issuer.issuer);
      if (!isTrustedUrl(String(authorization)) || !isTrustedUrl(String(token))) return;
      const { clientId, scopes } = page;
      const endpoints = { authorizationEndpoint: String(authorization), tokenEndpoint: String(token) };
      this.#known = {
        of: settings,
        at: performance.now(),
        provider: { issuer: issuer.name, clientId, scopes, audience: issuer.audience, ...endpoints },
      };
    } catch {
      // It does not answer now: the next one to ask tries again.
    }
  }
}
