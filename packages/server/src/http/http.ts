/**
 * The plain HTTP side of the port: health, readiness, metrics, and the inspector's files from a fixed map.
 *
 * It gives answers and writes none: how they leave is the transport's. Invariant: no path of a request ever reaches the file system.
 */
import type { Check } from "@copse/replica";
import { type Rate, TokenBucket } from "../clients/token-bucket.ts";
import type { StaticFile } from "../config.ts";
import type { PageLogins } from "../credentials/page-login.ts";
import type { ServerMetrics } from "./summed-metrics.ts";

/** The path of the WebSocket endpoint. */
export const endpoint = "/v1";

export interface HttpOptions {
  readonly files: ReadonlyMap<string, StaticFile>;
  /** The metrics, once there is a member. */
  readonly metrics: () => ServerMetrics | null;
  /** What has to hold before clients are sent here. */
  readonly checks: () => readonly Check[];
  readonly logins: PageLogins;
  /** What is well or not, though the member serves either way: what is not is a line in the answer of `/readyz`. */
  readonly pressures: () => readonly Check[];
}

/** What one port answers: health and figures are the operator's, the page is its users'. */
export interface HttpParts {
  readonly hasHealth: boolean;
  readonly hasPage: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** All but Content-Length. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Answers a request; `path` may have a query. */
export type Http = (method: string, path: string) => HttpAnswer | Promise<HttpAnswer>;

/** What the page may do: its own scripts and styles, its own server, and to ask these origins for tokens; nothing else. */
function pagePolicy(tokenOrigins: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    ["connect-src 'self'", ...tokenOrigins].join(" "),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types lit-html",
  ].join("; ");
}

const always = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" } as const;

/** Scrapes that are worked out anew, and how long the text of one serves those that come more often, in milliseconds. */
const scrapes: Rate = { perSecond: 10, burst: 50 };
const scrapeMs = 1_000;

/** @param parts what this port answers; all of them where there is no other port for some */
export function createHttp({ files, metrics, checks, pressures, logins }: HttpOptions, parts: HttpParts): Http {
  const fresh = new TokenBucket(scrapes);
  let scraped: { readonly at: number; readonly answer: Promise<HttpAnswer> } | null = null;
  const scrape = (): Promise<HttpAnswer> => {
    const now = performance.now();
    if (scraped === null || now - scraped.at >= scrapeMs || fresh.take()) scraped = { at: now, answer: metricsOf(metrics()) };
    return scraped.answer;
  };
  return (method, url) => {
    const path = url.split("?", 1)[0] ?? "/";
    if (path === endpoint) return text(426, "This is a WebSocket endpoint.\n", { Upgrade: "websocket", Connection: "Upgrade" });
    if (method !== "GET" && method !== "HEAD") return text(405, "Only GET and HEAD here.\n", { Allow: "GET, HEAD" });
    if (parts.hasPage && path === "/login.json") return login(logins);
    switch (parts.hasHealth ? path : "") {
      case "/healthz":
        return text(200, "ok\n");
      case "/readyz":
        return readiness(checks(), pressures(), new URLSearchParams(url.split("?", 2)[1]).has("verbose"));
      case "/metrics":
        return scrape();
      default:
        return file(parts.hasPage ? files.get(path) : undefined, path, logins);
    }
  };
}

/** Ready where all checks hold; with `isVerbose` each is a line, as is each pressure. */
function readiness(checks: readonly Check[], pressures: readonly Check[], isVerbose: boolean): HttpAnswer {
  const failed = checks.find(({ why }) => why !== null);
  const status = failed === undefined ? 200 : 503;
  const head = failed === undefined ? "ready" : `not ready: ${failed.why}`;
  if (!isVerbose) {
    const warnings = failed === undefined ? pressures.filter(({ why }) => why !== null).map(({ name, why }) => `${name}: ${why}`) : [];
    return text(status, [head, ...warnings, ""].join("\n"));
  }
  const line = ({ name, why }: Check, sign: string): string => (why === null ? `[+] ${name}` : `[${sign}] ${name}: ${why}`);
  const lines = [...checks.map((check) => line(check, "-")), ...pressures.map((check) => line(check, "!"))];
  return text(status, [...lines, head, ""].join("\n"));
}

async function metricsOf(registry: ServerMetrics | null): Promise<HttpAnswer> {
  if (registry === null) return text(503, "not ready\n");
  try {
    return text(200, await registry.metrics(), { "Content-Type": registry.contentType });
  } catch {
    return text(500, "metrics failed\n");
  }
}

/** How the page logs people in with a provider; null where it does not. */
async function login(logins: PageLogins): Promise<HttpAnswer> {
  const provider = await logins.provider();
  if (provider === "unknown") return text(503, "The identity provider does not answer; try again.\n");
  return text(200, JSON.stringify(provider), { "Content-Type": "application/json", "Cache-Control": "no-store" });
}

function file(found: StaticFile | undefined, path: string, logins: PageLogins): HttpAnswer {
  if (found === undefined) return text(404, "Not found.\n");
  const headers = {
    ...always,
    "Content-Type": found.contentType,
    "Content-Security-Policy": pagePolicy(logins.origins),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
  };
  return { status: 200, headers, body: found.body };
}

function text(status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return { status, headers: { ...always, "Content-Type": "text/plain; charset=utf-8", ...headers }, body };
}
