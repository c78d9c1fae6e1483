/**
 * uWebSockets.js as far as it is used here, and how it is found.
 *
 * It is no dependency of any package: users who want it install it beside copse, or pass it in. Invariant: only its native form
 * counts; one build of it falls back to a slow one in JavaScript where it does not fit the host.
 */
import { createRequire } from "node:module";

export interface UwsRequest {
  getMethod(): string;
  getUrl(): string;
  getQuery(): string | undefined;
  getHeader(name: string): string;
  forEach(take: (name: string, value: string) => void): void;
}

export interface UwsResponse {
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  end(body?: string | Buffer, closesConnection?: boolean): UwsResponse;
  endWithoutBody(): UwsResponse;
  upgrade(userData: object, key: string, protocol: string, extensions: string, context: unknown): void;
  onAborted(handler: () => void): UwsResponse;
  cork(run: () => void): UwsResponse;
  getRemoteAddress(): ArrayBuffer;
}

export interface UwsSocket<Data> {
  getUserData(): Data;
  /** 1: sent, 0: it waits, 2: dropped. */
  send(frame: string | Buffer, isBinary?: boolean, compress?: boolean): number;
  getBufferedAmount(): number;
  ping(): number;
  end(code?: number, reason?: string): void;
  close(): void;
}

export interface UwsApp {
  ws<Data>(
    pattern: string,
    behavior: {
      readonly compression: number;
      readonly maxPayloadLength: number;
      readonly maxBackpressure: number;
      readonly closeOnBackpressureLimit: boolean;
      readonly idleTimeout: number;
      readonly sendPingsAutomatically: boolean;
      readonly upgrade: (response: UwsResponse, request: UwsRequest, context: unknown) => void;
      readonly open: (socket: UwsSocket<Data>) => void;
      readonly message: (socket: UwsSocket<Data>, message: ArrayBuffer, isBinary: boolean) => void;
      readonly ping: (socket: UwsSocket<Data>) => void;
      readonly pong: (socket: UwsSocket<Data>) => void;
      readonly drain: (socket: UwsSocket<Data>) => void;
      readonly close: (socket: UwsSocket<Data>) => void;
    },
  ): UwsApp;
  any(pattern: string, answer: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  /** `flag` 1: nobody else may listen there. The callback gets what to close, or false. */
  listen(host: string, port: number, flag: number, onListening: (listening: unknown) => void): UwsApp;
  /** Ends every connection. */
  close(): UwsApp;
}

export interface UwsModule {
  App(): UwsApp;
  us_listen_socket_close(listening: unknown): void;
  us_socket_local_port(listening: unknown): number;
}

/** The installed uWebSockets.js in its native form, or why there is none. */
export async function findUws(): Promise<UwsModule | string> {
  // A name that the compiler does not look for: the package is nobody's dependency.
  const name: string = "uWebSockets.js";
  let found: { readonly default: UwsModule };
  try {
    found = (await import(name)) as typeof found;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND"
      ? "uWebSockets.js is not installed"
      : "uWebSockets.js does not load";
  }
  const isNative = Object.keys(createRequire(import.meta.url).cache).some((file) => /uws_[^/\\]*\.node$/.test(file));
  return isNative ? found.default : `uWebSockets.js has no native form for Node ${process.versions.node} on this machine`;
}
