/**
 * The plain HTTP side of the port: health, readiness, metrics, and the inspector's files from a fixed map.
 *
 * Invariant: no path of a request ever reaches the file system.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Registry } from "prom-client";
import type { StaticFile } from "./config.ts";
import { endpoint } from "./ws-listener.ts";

export interface HttpOptions {
  readonly files: ReadonlyMap<string, StaticFile>;
  readonly metrics: Registry;
  readonly isReady: () => boolean;
}

/** What the page may do: its own scripts and styles, its own server, nothing else. */
const pagePolicy: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types lit-html",
].join("; ");

export function createHttp(options: HttpOptions): RequestListener {
  return (request, response) => {
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Referrer-Policy", "no-referrer");
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path === endpoint)
      return sendText(response, 426, "This is a WebSocket endpoint.\n", { Upgrade: "websocket", Connection: "Upgrade" });
    if (request.method !== "GET" && request.method !== "HEAD")
      return sendText(response, 405, "Only GET and HEAD here.\n", { Allow: "GET, HEAD" });
    answerGet(options, request, response, path);
  };
}

function answerGet({ files, metrics, isReady }: HttpOptions, request: IncomingMessage, response: ServerResponse, path: string): void {
  switch (path) {
    case "/healthz":
      return sendText(response, 200, "ok\n");
    case "/readyz":
      return isReady() ? sendText(response, 200, "ready\n") : sendText(response, 503, "not ready\n");
    case "/metrics":
      metrics.metrics().then(
        (text) => sendText(response, 200, text, { "Content-Type": metrics.contentType }),
        () => sendText(response, 500, "metrics failed\n"),
      );
      return;
    default:
      return sendFile(files.get(path), request, response);
  }
}

function sendFile(file: StaticFile | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (file === undefined) return sendText(response, 404, "Not found.\n");
  response.writeHead(200, {
    "Content-Type": file.contentType,
    "Content-Length": file.body.length,
    "Content-Security-Policy": pagePolicy,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": request.url?.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
  });
  response.end(request.method === "HEAD" ? undefined : file.body);
}

function sendText(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": Buffer.byteLength(text), ...headers });
  response.end(text);
}
