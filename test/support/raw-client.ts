/**
 * A client as a stranger would write it: a WebSocket, JSON, and the contract. Nothing of our own client is in it.
 */
import { WebSocket } from "ws";

// biome-ignore lint/suspicious/noExplicitAny: the messages of the wire are what the tests are about
export type Message = Record<string, any>;

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

const waitMs = 30_000;

export class RawClient {
  readonly socket: WebSocket;
  /** Every message received, in order, arrays taken apart. */
  readonly received: Message[] = [];
  /** The frames, as text. */
  readonly frames: string[] = [];
  readonly closed: Promise<Closed>;
  #lastId = 0;
  #look: (() => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (bytes) => {
      const text = String(bytes);
      this.frames.push(text);
      const parsed = JSON.parse(text) as Message | Message[];
      this.received.push(...(Array.isArray(parsed) ? parsed : [parsed]));
      for (const look of this.#look.splice(0)) look();
    });
    this.closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve({ code, reason: String(reason) })));
    void this.closed.then(() => {
      for (const look of this.#look.splice(0)) look();
    });
  }

  /** Opens a socket and sends nothing. */
  static open(url: string, options: { protocols?: string[]; headers?: Record<string, string> } = {}): Promise<RawClient> {
    return RawClient.over(new WebSocket(url, options.protocols ?? ["copse.v1"], { headers: options.headers ?? {} }));
  }

  /** Waits until a socket is open. */
  static over(socket: WebSocket): Promise<RawClient> {
    const client = new RawClient(socket);
    return new Promise((resolve, reject) => {
      socket.once("open", () => resolve(client));
      socket.once("error", reject);
    });
  }

  /** Opens a socket and connects a session. */
  static async connect(url: string, members: Message = {}): Promise<RawClient> {
    const client = await RawClient.open(url);
    client.session = await client.ask({ op: "connect", ...members });
    return client;
  }

  /** The reply to connect, where `RawClient.connect` made it. */
  session: Message = {};

  nextId(): number {
    return ++this.#lastId;
  }

  /** Ids go on above this one. */
  skipTo(id: number): void {
    this.#lastId = Math.max(this.#lastId, id);
  }

  sendText(text: string): void {
    this.socket.send(text);
  }

  send(message: Message | Message[]): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends requests in one frame; gives their ids. */
  sendAll(messages: Message[]): number[] {
    const numbered = messages.map((message) => ({ id: this.nextId(), ...message }) as Message);
    this.send(numbered);
    return numbered.map((message) => message["id"] as number);
  }

  /** Sends a request and waits for its reply. */
  async ask(message: Message): Promise<Message> {
    const id = (message["id"] as number | undefined) ?? this.nextId();
    this.skipTo(id);
    const from = this.received.length;
    this.send({ id, ...message });
    return this.until((received) => received["id"] === id, from);
  }

  reply(id: number): Promise<Message> {
    return this.until((received) => received["id"] === id);
  }

  /** The first message that fits, received already (from position `from` on) or still to come. */
  async until(fits: (message: Message) => boolean, from = 0): Promise<Message> {
    const deadline = performance.now() + waitMs;
    for (let at = from; ; ) {
      for (; at < this.received.length; at++) if (fits(this.received[at]!)) return this.received[at]!;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`the connection closed; received ${this.tail()}`);
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`nothing fits; received ${this.tail()}`)),
          Math.max(1, deadline - performance.now()),
        );
        this.#look.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** What came without being asked for, in order. */
  get events(): Message[] {
    return this.received.filter((message) => !("id" in message) && message["event"] !== "ping");
  }

  /** Cuts the connection as a lost network would. */
  cut(): Promise<Closed> {
    this.socket.terminate();
    return this.closed;
  }

  private tail(): string {
    return JSON.stringify(this.received.slice(-5)).slice(0, 1_000);
  }
}
