/**
 * What the page shows: which znodes are expanded, which one is selected, and what the server has said of them.
 *
 * Invariants: everything shown was committed and came from a subscription, never from what the page hopes for; each expanded
 * znode has one subscription (names and stats), the selected one another (with data). Listeners are told at most once
 * for each animation frame.
 */
import { type Copse, type CopseError, isCopseError, type LiveZnode, type SessionState, type Stat } from "@copse/client";
import { ChildList, nameOf, parentOf } from "./child-list.ts";

export interface Row {
  readonly path: string;
  readonly name: string;
  readonly depth: number;
  readonly stat: Stat;
  readonly isExpanded: boolean;
  readonly isLoading: boolean;
  /** Position among the siblings, from 1, and how many they are. */
  readonly position: number;
  readonly siblings: number;
  readonly flash: FlashKind | null;
}

export type FlashKind = "created" | "changed" | "deleted";

export type Selected =
  | { readonly kind: "loading" }
  | { readonly kind: "missing" }
  | { readonly kind: "refused"; readonly error: CopseError }
  | { readonly kind: "present"; readonly znode: LiveZnode };

/** How long a change stays marked on its row, in milliseconds. */
const flashMs = 1_600;

export class Model {
  readonly copse: Copse;
  readonly #listeners: Set<() => void> = new Set();
  readonly #expanded: Map<string, { readonly list: ChildList; readonly stop: () => void }> = new Map();
  readonly #flashes: Map<string, { readonly kind: FlashKind; readonly until: number }> = new Map();
  #rows: readonly Row[] | null = null;
  #rootStat: Stat | null = null;
  #isScheduled = false;
  #stopSelected: () => void = () => {};
  selectedPath = "/";
  selected: Selected = { kind: "loading" };

  constructor(copse: Copse) {
    this.copse = copse;
    copse.onState(() => this.#changed());
    this.expand("/");
    this.select("/");
  }

  get connection(): SessionState {
    return this.copse.state;
  }

  /** Calls `listener` behind each change; gives what stops that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isExpanded(path: string): boolean {
    return this.#expanded.has(path);
  }

  expand(path: string): void {
    if (this.#expanded.has(path)) return;
    const list = new ChildList(path);
    const stop = this.copse.observe(
      path,
      { scope: "children", data: false },
      {
        state: (znodes) => {
          list.takeState(znodes);
          if (path === "/") this.#rootStat = znodes.get("/")?.stat ?? null;
          this.#changed();
        },
        changes: (changes) => {
          for (const change of changes) {
            if (list.takeChange(change)) this.#mark(change.path, change.kind);
            else if (path === "/" && change.stat !== null) this.#rootStat = change.stat;
            if (change.kind === "deleted") this.collapse(change.path);
          }
          this.#changed();
        },
        failed: () => this.collapse(path),
      },
    );
    this.#expanded.set(path, { list, stop });
    this.#changed();
  }

  collapse(path: string): void {
    for (const [below, { stop }] of this.#expanded) {
      if (below !== path && !below.startsWith(path === "/" ? "/" : `${path}/`)) continue;
      stop();
      this.#expanded.delete(below);
    }
    this.#changed();
  }

  /** Selects a znode, expanding the way to it. */
  select(path: string): void {
    if (path !== this.selectedPath || this.selected.kind === "loading") {
      this.#stopSelected();
      this.selectedPath = path;
      this.selected = { kind: "loading" };
      this.#stopSelected = this.copse.observe(
        path,
        { scope: "node" },
        {
          state: (znodes) => this.#show(znodes.get(path) ?? null),
          changes: (changes) => this.#show(changes[changes.length - 1]?.znode ?? null),
          failed: (error) => {
            this.selected = { kind: "refused", error };
            this.#changed();
          },
        },
      );
    }
    for (let above = path; above !== "/"; ) {
      above = parentOf(above);
      this.expand(above);
    }
    this.#changed();
  }

  /** The rows as they stand, top to bottom. */
  get rows(): readonly Row[] {
    this.#rows ??= this.#layOut();
    return this.#rows;
  }

  #show(znode: LiveZnode | null): void {
    this.selected = znode === null ? { kind: "missing" } : { kind: "present", znode };
    this.#changed();
  }

  #layOut(): readonly Row[] {
    const rows: Row[] = [];
    const now = performance.now();
    const add = (path: string, stat: Stat, depth: number, position: number, siblings: number): void => {
      const list = this.#expanded.get(path)?.list;
      const flash = this.#flashes.get(path);
      rows.push({
        path,
        name: path === "/" ? "/" : nameOf(path),
        depth,
        stat,
        isExpanded: list !== undefined,
        isLoading: list !== undefined && list.children === null,
        position,
        siblings,
        flash: flash !== undefined && flash.until > now ? flash.kind : null,
      });
      const children = list?.children ?? [];
      for (const [at, child] of children.entries()) add(child.path, child.stat, depth + 1, at + 1, children.length);
    };
    if (this.#rootStat !== null) add("/", this.#rootStat, 0, 1, 1);
    return rows;
  }

  #mark(path: string, kind: string): void {
    const shown: FlashKind = kind === "created" ? "created" : kind === "deleted" ? "deleted" : "changed";
    const marked = shown === "deleted" ? parentOf(path) : path;
    this.#flashes.set(marked, { kind: shown, until: performance.now() + flashMs });
    setTimeout(() => {
      if ((this.#flashes.get(marked)?.until ?? 0) <= performance.now()) this.#flashes.delete(marked);
      this.#changed();
    }, flashMs + 20);
  }

  #changed(): void {
    this.#rows = null;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      for (const listener of this.#listeners) listener();
    });
  }
}

/** One sentence for a refusal, in words for operators. */
export function sentence(error: unknown): string {
  if (!isCopseError(error)) return String(error);
  switch (error.code) {
    case "NODE_EXISTS":
      return "A znode of this name exists already.";
    case "NO_NODE":
      return "The znode does not exist any more.";
    case "NOT_EMPTY":
      return "The znode has got children meanwhile.";
    case "NO_AUTH":
      return "Your identity may not do this.";
    case "READ_ONLY":
      return "This server allows no changes.";
    case "SESSION_EXPIRED":
    case "UNAVAILABLE":
      return error.outcome === "unknown"
        ? "The connection was lost on the way: it may have been done, or not. Look before you try again."
        : "There is no connection. Nothing was done.";
    case "NO_CHILDREN_FOR_EPHEMERALS":
      return "An ephemeral znode can't have children.";
    default:
      return error.message;
  }
}
