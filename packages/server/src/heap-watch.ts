/**
 * How full the heap is: past a share of its limit the member refuses what would make it grow, and lives.
 *
 * What is in use counts garbage too, so the share is judged by what was left after the last full collection; only close to the limit
 * is whatever is in use believed, as no collection may have come yet. While growth is refused nothing would make the host collect what was
 * let go: it is asked to, every so often.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Shares of the heap's limit: what is left after a full collection, below which it counts as relieved, and what is in use at all. */
const pressedShare = 0.8;
const relievedShare = 0.7;
const fullShare = 0.92;
const lookMs = 250;
/** How often the host is asked to collect while the heap is nearly full, in milliseconds: it stands still meanwhile. */
const collectMs = 10_000;
/** Of the entries that the host gives for garbage collections: a full one. */
const fullCollection = 4;

export interface HeapUse {
  /** Bytes in use, and bytes at which the process would end. */
  readonly used: number;
  readonly limit: number;
}

export class HeapWatch {
  readonly #read: () => HeapUse;
  readonly #onChange: (isPressed: boolean, use: HeapUse) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #collections: PerformanceObserver;
  #collectedAt = 0;
  isPressed = false;

  /** @param read what is in use; the host's own heap unless a test says otherwise */
  constructor(onChange: (isPressed: boolean, use: HeapUse) => void, read: () => HeapUse = heapUse) {
    this.#read = read;
    this.#onChange = onChange;
    this.#timer = setInterval(() => {
      this.#look(false);
      if (this.isPressed) this.#collect();
    }, lookMs);
    this.#timer.unref();
    this.#collections = new PerformanceObserver((list) => {
      const isFull = list.getEntries().some((entry) => (entry as { detail?: { kind?: number } }).detail?.kind === fullCollection);
      if (isFull) this.#look(true);
    });
    this.#collections.observe({ entryTypes: ["gc"] });
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#collections.disconnect();
  }

  #collect(): void {
    const now = performance.now();
    if (now - this.#collectedAt < collectMs) return;
    this.#collectedAt = now;
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    this.#look(true);
  }

  /** @param isCollected right after a full collection: what is in use is little more than what is held */
  #look(isCollected: boolean): void {
    const use = this.#read();
    const share = use.used / use.limit;
    const isPressed = this.isPressed ? share >= relievedShare : share >= fullShare || (isCollected && share >= pressedShare);
    if (isPressed === this.isPressed) return;
    this.isPressed = isPressed;
    this.#onChange(isPressed, use);
  }
}

/** The process's own heap. */
export function heapUse(): HeapUse {
  const { used_heap_size, heap_size_limit } = getHeapStatistics();
  return { used: used_heap_size, limit: heap_size_limit };
}
