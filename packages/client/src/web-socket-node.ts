/** Node's WebSocket: Node 20 has none of its own. */
export { WebSocket } from "ws";
