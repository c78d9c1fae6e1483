/** The host's own WebSocket, in browsers and workers; and what operators see of a client that says no name. */
const hostWebSocket: typeof globalThis.WebSocket = globalThis.WebSocket;

export { hostWebSocket as WebSocket };

/** The title of the page; a worker has none. */
export function hostName(): string | undefined {
  return globalThis.document?.title;
}
