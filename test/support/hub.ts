/**
 * A real hub in this process: real sockets, real files in a folder of its own.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { completeConfig, findUws, type Server, type ServerConfig, startServer, type UwsModule } from "@copse/server";
import { pino } from "pino";

export interface Hub extends Server {
  readonly data: string;
  /** Stops and removes the data. */
  destroy(): Promise<void>;
}

const silent = pino({ level: "silent" });

export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `copse-${name}-`));
}

/** `COPSE_TRANSPORT=uws` runs every test of a hub over uWebSockets.js. */
async function carrier(): Promise<UwsModule | null> {
  return process.env["COPSE_TRANSPORT"] === "uws" ? nativeUws() : null;
}

/** uWebSockets.js; where it has no native form for this Node, its tests fail. */
export async function nativeUws(): Promise<UwsModule> {
  const found = await findUws();
  if (typeof found === "string") throw new Error(found);
  return found;
}

/** Starts a hub on a free port, over `data` where one is given. */
export async function startHub(settings: Partial<ServerConfig> = {}, data: string = temporaryFolder("hub")): Promise<Hub> {
  const onFatal = (error: Error): void => {
    throw error;
  };
  const uws = settings.tls == null ? await carrier() : null;
  const server = await startServer(completeConfig({ dataDirectory: data, port: 0, logger: silent, onFatal, uws, ...settings }));
  const destroy = async (): Promise<void> => {
    await server.stop();
    rmSync(data, { recursive: true, force: true });
  };
  return { ...server, data, destroy };
}

/** An identity file that lets in whoever comes, for tests of what else holds strangers back. */
export function openIdentityFile(): string {
  const file = join(temporaryFolder("identity"), "identity.json");
  writeFileSync(file, '{"anonymous":"session"}');
  return file;
}
