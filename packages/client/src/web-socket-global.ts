/** The host's own WebSocket, in browsers and workers. */
const hostWebSocket: typeof globalThis.WebSocket = globalThis.WebSocket;

export { hostWebSocket as WebSocket };
