/**
 * The way in: a client that is connected, or an error that says why not.
 */
import { Copse } from "./client.ts";
import type { ConnectOptions } from "./connect-options.ts";

/** Milliseconds until the first connect gives up. */
const connectMsDefault = 15_000;

/**
 * Connects.
 * @param urls one or more members, as ws, wss, http or https URLs; the protocol's path, `/v1`, is added to what stands there
 * @throws CopseError where the server refuses for good; TIMEOUT with the newest reason in its message, and what `auth` threw as `cause`;
 *   the signal's reason where that aborts first
 * @example const copse = await connect([url], { sessionTimeoutMs: 15_000 });
 */
export async function connect(urls: string | readonly string[], options: ConnectOptions = {}): Promise<Copse> {
  const client = new Copse(typeof urls === "string" ? [urls] : urls, options);
  try {
    await client.connected(options.signal, options.connectTimeoutMs ?? connectMsDefault);
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}
