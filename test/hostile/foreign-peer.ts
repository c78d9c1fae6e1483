/**
 * A server that is none: it answers as it is told, or from a seed, for as long as it is told; from then on it hands all on to a hub.
 */
import { once } from "node:events";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import type { Message } from "../support/raw-client.ts";
import type { Answer } from "../support/rubbish.ts";

export class ForeignPeer {
  readonly #server: WebSocketServer;
  readonly #hub: string;
  /** Null once it hands on. */
  answer: Answer | null;
  /** Frames that it has sent of its own. */
  answers = 0;

  private constructor(server: WebSocketServer, hub: string, answer: Answer) {
    this.#server = server;
    this.#hub = hub;
    this.answer = answer;
    server.on("connection", (socket) => this.#serve(socket));
  }

  static async start(hub: string, answer: Answer): Promise<ForeignPeer> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "copse.v1" });
    await once(server, "listening");
    return new ForeignPeer(server, hub, answer);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: WebSocket): void {
    socket.on("error", () => {});
    if (this.answer === null) return this.#handOn(socket);
    socket.on("message", (frame) => {
      const { answer } = this;
      if (answer === null) return socket.terminate();
      for (const request of [JSON.parse(String(frame)) as Message | Message[]].flat()) {
        for (const text of answer(request)) {
          this.answers++;
          socket.send(text);
        }
      }
    });
  }

  #handOn(socket: WebSocket): void {
    const beyond = new WebSocket(this.#hub, "copse.v1");
    const waiting: RawData[] = [];
    beyond.on("open", () => {
      for (const frame of waiting.splice(0)) beyond.send(frame, { binary: false });
    });
    socket.on("message", (frame) => (beyond.readyState === WebSocket.OPEN ? beyond.send(frame, { binary: false }) : waiting.push(frame)));
    beyond.on("message", (frame) => socket.send(frame, { binary: false }));
    beyond.on("error", () => socket.terminate());
    beyond.on("close", () => socket.terminate());
    socket.on("close", () => beyond.terminate());
  }
}
