/**
 * Logging in with an OpenID provider: an authorization code with PKCE (RFC 7636), from a page without a secret.
 *
 * Invariants: what comes back counts only with the state that this page sent and, in the id token, its nonce; both and the verifier live in
 * the tab for one redirect; tokens are given to the caller and stored nowhere.
 */

/** What the hub says of the provider (`login.json`). */
export interface Provider {
  /** The issuer's name at the hub. */
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Of tokens that the hub takes. */
  readonly audience: readonly string[];
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
}

export interface Tokens {
  /** The one that the hub takes. */
  readonly token: string;
  readonly refreshToken: string | null;
}

interface Asked {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Where the page was. */
  readonly hash: string;
}

const key = "copse.login";

/** Leaves for the provider; the page comes back with a code. */
export async function begin(provider: Provider, page: string): Promise<void> {
  const asked: Asked = { state: random(), nonce: random(), verifier: random() + random(), hash: location.hash };
  sessionStorage.setItem(key, JSON.stringify(asked));
  const challenge = base64Url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(asked.verifier))));
  const to = new URL(provider.authorizationEndpoint);
  const query = {
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: page,
    scope: provider.scopes.join(" "),
    state: asked.state,
    nonce: asked.nonce,
    code_challenge: challenge,
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(query)) to.searchParams.set(name, value);
  location.assign(to);
}

/** True for an address to which a provider has sent the page back. */
export function isReturn(address: URL): boolean {
  return address.searchParams.has("state") && (address.searchParams.has("code") || address.searchParams.has("error"));
}

/**
 * Takes what the provider has sent the page back with, and gives the address its former look.
 * @throws Error that says to people what went wrong
 */
export async function finish(provider: Provider, page: string, address: URL): Promise<Tokens> {
  const asked = JSON.parse(sessionStorage.getItem(key) ?? "null") as Asked | null;
  sessionStorage.removeItem(key);
  history.replaceState(null, "", page + (asked?.hash ?? ""));
  const { searchParams } = address;
  if (asked === null || searchParams.get("state") !== asked.state) throw new Error("This answer is not to a login that this tab began.");
  const refused = searchParams.get("error");
  if (refused !== null) throw new Error(`The identity provider says: ${searchParams.get("error_description") ?? refused}`);
  return redeem(provider, asked.nonce, {
    grant_type: "authorization_code",
    code: searchParams.get("code") ?? "",
    redirect_uri: page,
    code_verifier: asked.verifier,
  });
}

/** Another token for one that ends. @throws Error */
export function refresh(provider: Provider, refreshToken: string): Promise<Tokens> {
  return redeem(provider, null, { grant_type: "refresh_token", refresh_token: refreshToken });
}

async function redeem(provider: Provider, nonce: string | null, grant: Record<string, string>): Promise<Tokens> {
  const answer = await fetch(provider.tokenEndpoint, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ ...grant, client_id: provider.clientId }),
  });
  const said = (await answer.json()) as Record<string, unknown>;
  if (!answer.ok) throw new Error(`The identity provider says: ${String(said["error_description"] ?? said["error"] ?? answer.status)}`);
  const { id_token: idToken, access_token: accessToken, refresh_token: refreshToken } = said;
  if (nonce !== null && payloadOf(idToken)?.["nonce"] !== nonce) throw new Error("The identity provider's answer is to another login.");
  const token = [accessToken, idToken].find((one) => isFor(payloadOf(one), provider.audience));
  if (token === undefined) throw new Error(`The identity provider gave no token for ${provider.audience.join(" or ")}.`);
  return { token: token as string, refreshToken: typeof refreshToken === "string" ? refreshToken : null };
}

function isFor(payload: Record<string, unknown> | null, audience: readonly string[]): boolean {
  const aud = payload?.["aud"];
  return (Array.isArray(aud) ? aud : [aud]).some((one) => typeof one === "string" && audience.includes(one));
}

/** What a token says: for display and choice alone, as the hub judges it. */
function payloadOf(token: unknown): Record<string, unknown> | null {
  try {
    const [, payload = ""] = String(token).split(".");
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (unit) => unit.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function random(): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(24)));
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
