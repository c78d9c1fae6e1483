/**
 * Links to the edges that this process has started: over loopback, with a secret that was made for them alone.
 *
 * Invariant: only edges come in here, whatever they know.
 */
import type { Mesh, PeerFacts } from "@copse/replica";
import { PeerMesh, type PeerMeshOptions } from "./peer-mesh.ts";

export class EdgeChannel {
  readonly #mesh: PeerMesh;
  /** Where they dial, HOST:PORT; "" before it listens. */
  address = "";

  /** @param secret of at least 16 bytes */
  constructor(options: Omit<PeerMeshOptions, "secrets" | "tls">, secret: string) {
    this.#mesh = new PeerMesh({
      ...options,
      tls: null,
      secrets: () => ({ secret, otherSecret: null, isImplicit: false }),
      refusal: (facts: PeerFacts) => (facts.isEdge === true ? options.refusal(facts) : { kind: "not-a-founder", member: facts.member }),
    });
  }

  async listen(): Promise<void> {
    this.address = `127.0.0.1:${await this.#mesh.listen("127.0.0.1:0")}`;
  }

  /** Both as one: what is for an edge of this channel goes there. */
  beside(mesh: PeerMesh): Mesh {
    return {
      send: (peer, messages) => (this.#mesh.isUp(peer) ? this.#mesh : mesh).send(peer, messages),
      connect: (peers, own) => mesh.connect(peers, own),
    };
  }

  stop(): Promise<void> {
    return this.#mesh.stop();
  }
}
