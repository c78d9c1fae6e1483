/** Node's WebSocket, because Node 20 has none of its own; and what operators see of a client that says no name. */
export { hostname as hostName } from "node:os";
export { WebSocket } from "ws";
