/**
 * An issuer of tokens: its keys over HTTP, and tokens as it would sign them.
 *
 * It stands in for the world, not for code of ours; a whole OpenID provider is in `test/browser/login`.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

export interface TokenOptions {
  readonly sub?: string;
  /** Seconds from now. */
  readonly expiresIn?: number;
  readonly issuedAgo?: number;
  readonly audience?: string;
  readonly claims?: JWTPayload;
  /** Left out of the payload. */
  readonly without?: readonly string[];
  readonly kid?: string;
}

export class Issuer {
  readonly url: string;
  /** How often the keys were asked for. */
  asked = 0;
  /** While false it answers 503. */
  isUp = true;
  readonly #server: Server;
  #keys: { readonly kid: string; readonly key: CryptoKey; readonly jwk: JWK }[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<Issuer> {
    const holder: { issuer?: Issuer } = {};
    const server = createServer((_request, response) => {
      const issuer = holder.issuer!;
      issuer.asked++;
      response.writeHead(issuer.isUp ? 200 : 503, { "content-type": "application/json" });
      response.end(JSON.stringify({ keys: issuer.#keys.map(({ jwk }) => jwk) }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    holder.issuer = new Issuer(server);
    await holder.issuer.rotate("first");
    return holder.issuer;
  }

  /** Signs with a new key from now on; the former ones are published no more. */
  async rotate(kid: string): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    this.#keys = [{ kid, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" } }];
  }

  /** What the identity file says of it. */
  settings(more: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      name: "acme",
      issuer: this.url,
      audience: ["copse"],
      keys: { jwksUri: `${this.url}/jwks.json` },
      algorithms: ["ES256"],
      claims: { role: "/roles", tenant: "/tenant" },
      ...more,
    };
  }

  token(options: TokenOptions = {}): Promise<string> {
    const { sub = "ada", expiresIn = 3_600, issuedAgo = 0, audience = "copse", claims = {}, without = [], kid } = options;
    const now = Math.floor(Date.now() / 1_000);
    const payload: JWTPayload = { iss: this.url, sub, aud: audience, iat: now - issuedAgo, exp: now + expiresIn, ...claims };
    for (const name of without) delete payload[name];
    const [signing] = this.#keys;
    return new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: kid ?? signing!.kid }).sign(signing!.key);
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.closeAllConnections();
      this.#server.close(() => resolve());
    });
  }
}
