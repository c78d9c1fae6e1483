/**
 * An ensemble of real processes, each with a data directory of its own.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./hub.ts";
import { command as builtCommand, edgeFlags, freePort, Process, until } from "./processes.ts";

export interface MemberProcess {
  readonly id: string;
  readonly port: number;
  readonly url: string;
  readonly data: string;
  process: Process;
}

export interface ShownMember {
  readonly id: string;
  readonly role: string;
  readonly state: string;
  readonly zxid: number;
  readonly url: string;
}

export interface EnsembleOptions {
  /** For every member. */
  readonly flags?: readonly string[];
  /** For each member its own, instead. */
  readonly flagsOf?: (id: string) => readonly string[];
  readonly command?: string;
  /** So many founders more, which are named and never start: the others found without them. */
  readonly away?: number;
}

export class EnsembleProcesses {
  readonly members: MemberProcess[] = [];
  readonly folder: string = temporaryFolder("ensemble");
  /** Further flags of a member, the next time it starts. */
  flagsOf: (id: string) => readonly string[];
  /** The built command that a member runs, the next time it starts. */
  command: string;
  #peers = "";
  #founds = false;

  private constructor({ flags = [], flagsOf = () => flags, command = builtCommand }: EnsembleOptions) {
    this.flagsOf = flagsOf;
    this.command = command;
  }

  /** Starts members and waits until one of them coordinates. */
  static async start(count: number, options: EnsembleOptions = {}): Promise<EnsembleProcesses> {
    const ensemble = new EnsembleProcesses(options);
    const ports = await Promise.all(
      Array.from({ length: count + (options.away ?? 0) }, async () => [await freePort(), await freePort()] as const),
    );
    ensemble.#founds = options.away !== undefined;
    ensemble.#peers = ports.map(([, peer], at) => `${at + 1}=127.0.0.1:${peer}`).join(",");
    for (const [at, [port, peer]] of ports.slice(0, count).entries()) {
      const id = String(at + 1);
      const data = join(ensemble.folder, id);
      const member = { id, port, url: `ws://127.0.0.1:${port}`, data };
      ensemble.members.push({ ...member, process: ensemble.#launch(member, `127.0.0.1:${peer}`) });
    }
    await Promise.all(ensemble.members.map(({ process }) => process.printed(/copse serves ws:/)));
    await ensemble.leader();
    return ensemble;
  }

  get urls(): string[] {
    return this.members.map(({ url }) => url);
  }

  peerAddress(id: string): string {
    return this.#peers
      .split(",")
      .find((peer) => peer.startsWith(`${id}=`))!
      .slice(id.length + 1);
  }

  /** Starts a member's process again, on what its disk has. */
  async restart(member: MemberProcess): Promise<void> {
    member.process = this.#launch(member, this.peerAddress(member.id));
    await member.process.printed(/copse serves ws:/);
  }

  /** Every member is reached by its peers elsewhere, the next time it starts. */
  async movePeers(): Promise<void> {
    this.#peers = (await Promise.all(this.members.map(async ({ id }) => `${id}=127.0.0.1:${await freePort()}`))).join(",");
  }

  /** The member that all who run take for their leader, as soon as there is one. */
  async leader(): Promise<MemberProcess> {
    return until(async () => {
      for (const { port } of this.members) {
        const text = await metric(port, "copse_coordinates").catch(() => 0);
        if (text === 1) return this.members.find((member) => member.port === port);
      }
      return undefined;
    });
  }

  async follower(): Promise<MemberProcess> {
    const leader = await this.leader();
    return this.members.find((member) => member !== leader)!;
  }

  /** Settings for every member, as a file. */
  static config(settings: object): string[] {
    const file = join(temporaryFolder("config"), "copse.json");
    writeFileSync(file, JSON.stringify(settings));
    return ["--config", file];
  }

  #launch({ id, port, data }: Omit<MemberProcess, "process">, peer: string): Process {
    const addresses = [
      "--listen",
      `127.0.0.1:${port}`,
      "--peer-listen",
      peer,
      "--peers",
      this.#peers,
      ...(this.#founds ? ["--found"] : []),
    ];
    return new Process(process.execPath, [
      this.command,
      "serve",
      "--id",
      id,
      ...addresses,
      "--data",
      data,
      "--log-level",
      "warn",
      ...(this.command === builtCommand ? edgeFlags : []),
      ...this.flagsOf(id),
    ]);
  }
}

/** One figure of a member's metrics. */
export async function metric(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}
