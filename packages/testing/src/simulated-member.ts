/**
 * The process of one member: it starts, stops, stands still, and dies with what its disk had not made durable.
 *
 * Invariant: what was asked for in one run of the process never calls back into another.
 */
import type { Member } from "@copse/replica";
import type { FaultDisk } from "./fault-disk.ts";
import type { World } from "./world.ts";

export class SimulatedMember {
  readonly id: string;
  readonly disk: FaultDisk;
  readonly speed: number;
  wallOffset = 0;
  member: Member | null = null;
  /** Counts the runs of its process. */
  life = 0;
  /** Stopped as by SIGSTOP until then. */
  pausedUntil = 0;
  /** What has come meanwhile, in order. */
  #held: (() => void)[] = [];
  /** A bit of its log is not what it was. */
  isRotten = false;
  /** Its log is damaged, and it says so: it does not run again. */
  isLost = false;
  /** Crashes as soon as it has promised something: when what it promised is most likely to be lost. */
  isDoomed = false;

  readonly #world: World;

  /** Whom it may follow, where it is an edge; null for a member. */
  readonly feeders: readonly string[] | null;

  /** @param speed of its clock: 1.1 runs ten percent fast */
  constructor(world: World, id: string, disk: FaultDisk, speed: number, feeders: readonly string[] | null = null) {
    this.#world = world;
    this.id = id;
    this.disk = disk;
    this.speed = speed;
    this.feeders = feeders;
  }

  /** Its wall clock, in milliseconds since the epoch. */
  get wall(): number {
    return Math.floor(1e12 + this.#world.now + this.wallOffset);
  }

  get isUp(): boolean {
    return this.member !== null;
  }

  /** Begins another run of the process. */
  begin(): number {
    return ++this.life;
  }

  /** The process ends, and what its disk had not made durable is lost. */
  end(): void {
    this.member = null;
    this.life++;
    this.pausedUntil = 0;
    this.#held = [];
    this.disk.crash();
  }

  /** As SIGSTOP: nothing runs, nothing is lost. */
  pause(ms: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.#world.now + ms);
  }

  /** Runs what concerns a process: later and in order, where it is stopped; never, where it has ended. */
  within(life: number, work: () => void): void {
    if (this.life !== life) return;
    if (this.#world.now >= this.pausedUntil && this.#held.length === 0) return work();
    this.#held.push(() => this.life === life && work());
    if (this.#held.length === 1) this.#wake();
  }

  /** Its disk, whose callbacks reach only this run of the process, and only while it runs. */
  diskOf(life: number): FaultDisk {
    return new Proxy(this.disk, {
      get: (target, name: keyof FaultDisk) => {
        const found = target[name];
        if (typeof found !== "function") return found;
        return (...given: unknown[]): unknown => {
          const last = given[given.length - 1];
          if (typeof last === "function") {
            given[given.length - 1] = (...results: unknown[]) => this.within(life, () => (last as (...r: unknown[]) => void)(...results));
          }
          return (found as (...a: unknown[]) => unknown).apply(target, given);
        };
      },
    });
  }

  #wake(): void {
    this.#world.after(this.pausedUntil - this.#world.now, () => {
      if (this.#world.now < this.pausedUntil) return this.#wake();
      for (const work of this.#held.splice(0)) work();
    });
  }
}
