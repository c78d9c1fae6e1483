/**
 * What the page shows: which znodes are expanded, which one is selected, and what the server has said of them.
 *
 * Invariants: everything shown was committed and came from a subscription, never from what the page hopes for; each expanded
 * znode has one subscription (names and stats), the selected one another (with data). Listeners are told at most once
 * for each animation frame, and twice a second while very much happens or the page is paused; a page that is paused moves no row.
 */
import type { Copse, CopseError, LiveZnode, SessionState, Stat } from "@copse/client";
import { parentOf } from "@copse/client/path";
import { ChangeLog } from "./change-log.ts";
import { ChildList } from "./child-list.ts";
import type { Edit } from "./edit.ts";
import { Permissions } from "./permissions.ts";
import { RowIndex } from "./row-index.ts";

export type FlashKind = "created" | "changed" | "deleted";

export type Selected =
  | { readonly kind: "loading" }
  | { readonly kind: "missing" }
  /** It is there, and hidden from this identity. */
  | { readonly kind: "hidden" }
  | { readonly kind: "refused"; readonly error: CopseError }
  | { readonly kind: "present"; readonly znode: LiveZnode };

/** How long a change stays marked on its row, in milliseconds. */
const flashMs = 1_600;
/** Marks at once; what changes beyond that is counted, not marked. */
const flashesMax = 500;
/** Rows whose hidden changes are counted: past that, counting begins anew. */
const hiddenMax = 10_000;
/** Milliseconds after a change at which the rate is said anew. */
const rateMs = 1_100;
/** Children that are asked for before all of them. */
const previewed = 200;
/** Changes a second above which rows are drawn by the clock, not by the change. */
const busyRate = 200;
const busyDrawMs = 500;

export class Model {
  readonly copse: Copse;
  readonly changes: ChangeLog;
  /** What one may not do with the selected znode. */
  readonly permissions: Permissions;
  readonly #listeners: Set<() => void> = new Set();
  readonly #lists: Map<string, ChildList> = new Map();
  readonly #stops: Map<string, () => void> = new Map();
  readonly #flashes: Map<string, { readonly kind: FlashKind; readonly until: number }> = new Map();
  /** Changes below znodes that are not expanded, by the path of the row that hides them. */
  readonly #hidden: Map<string, number> = new Map();
  #rows: RowIndex | null = null;
  #rootStat: Stat | null = null;
  #isScheduled = false;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #stopSelected: () => void = () => {};
  #filter = "";
  #pausedAt: number | null = null;
  /** Edits under way, by path: going elsewhere and back loses none. */
  readonly edits: Map<string, Edit> = new Map();
  selectedPath = "/";
  selected: Selected = { kind: "loading" };

  constructor(copse: Copse) {
    this.copse = copse;
    this.changes = new ChangeLog(copse);
    this.permissions = new Permissions(copse, () => this.#changed());
    this.changes.listen(({ path }) => this.#noteHidden(path));
    this.changes.listenToTold(() => this.#changed());
    copse.status.subscribe(() => this.#changed());
    copse.identities.subscribe(() => this.#changed());
    this.expand("/");
    this.select("/");
  }

  get connection(): SessionState {
    return this.copse.state;
  }

  /** Why there is no connection, or null. */
  get reason(): string | null {
    return this.connection === "connected" ? null : this.copse.status.get().reason;
  }

  /** Calls `listener` after each change; gives what stops that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get isPaused(): boolean {
    return this.#pausedAt !== null;
  }

  /** Changes since the page was paused. */
  get missed(): number {
    return this.#pausedAt === null ? 0 : this.changes.total - this.#pausedAt;
  }

  /** True while so much happens that rows are drawn by the clock. */
  get isBusy(): boolean {
    return this.changes.rate > busyRate;
  }

  set isPaused(isPaused: boolean) {
    if (isPaused === this.isPaused) return;
    this.#pausedAt = isPaused ? this.changes.total : null;
    if (!isPaused) this.#catchUp();
    this.#changed();
  }

  /** What happened while nothing was moved. */
  #catchUp(): void {
    for (const list of this.#lists.values()) list.catchUp();
    this.#rootStat = this.#lists.get("/")?.ownStat ?? this.#rootStat;
    for (const path of [...this.#lists.keys()]) {
      const siblings = path === "/" ? undefined : this.#lists.get(parentOf(path));
      if (siblings?.isWhole === true && !siblings.has(path)) this.collapse(path);
    }
  }

  get filter(): string {
    return this.#filter;
  }

  /** Only znodes whose names hold this, and the way to what is expanded. */
  set filter(filter: string) {
    this.#filter = filter;
    this.#changed();
  }

  isExpanded(path: string): boolean {
    return this.#lists.has(path);
  }

  expand(path: string): void {
    this.#hidden.delete(path);
    if (this.#lists.has(path)) return;
    const list = new ChildList(path);
    this.#lists.set(path, list);
    for (const other of this.#lists.values()) other.refilter();
    // Asked before the subscription, or it would stand after all that this brings.
    const preview = this.copse.childrenWithStats(path, { limit: previewed });
    const stop = this.copse.observe(
      path,
      { scope: "children", data: false },
      {
        state: (znodes) => {
          list.takeState(znodes, this.isPaused && list.isWhole);
          if (path === "/" && !this.isPaused) this.#rootStat = znodes.get("/")?.stat ?? null;
          this.#changed();
        },
        changes: (changes) => {
          if (!this.isPaused) {
            for (const change of changes) {
              if (list.takeChange(change)) this.#mark(change.path, change.kind);
              else if (path === "/" && change.stat !== null) this.#rootStat = change.stat;
              if (change.kind !== "deleted") continue;
              this.#hidden.delete(change.path);
              this.collapse(change.path);
            }
          }
          this.#changed();
        },
        failed: () => this.collapse(path),
      },
    );
    // Very many take a while to arrive: the first come alone, with how many there are.
    preview.then(
      ({ children, stat }) => {
        if (stat.numChildren <= previewed) return;
        list.preview(children, stat.numChildren);
        this.#changed();
      },
      () => {},
    );
    if (this.#lists.get(path) === list) this.#stops.set(path, stop);
    else stop();
    this.#changed();
  }

  collapse(path: string): void {
    for (const below of [...this.#lists.keys()]) {
      if (below !== path && !below.startsWith(path === "/" ? "/" : `${path}/`)) continue;
      this.#stops.get(below)?.();
      this.#stops.delete(below);
      this.#lists.delete(below);
    }
    for (const list of this.#lists.values()) list.refilter();
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
          state: (znodes, _zxid, isHidden) => this.#show(znodes.get(path) ?? null, isHidden),
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
  get rows(): RowIndex {
    this.#rows ??= new RowIndex(this.#rootStat, this.#lists, this.#filter.trim().toLowerCase());
    return this.#rows;
  }

  flashOf(path: string): FlashKind | null {
    const flash = this.#flashes.get(path);
    return flash !== undefined && flash.until > performance.now() ? flash.kind : null;
  }

  /** Changes that a row that is not expanded has hidden so far. */
  hiddenOf(path: string): number {
    return this.#hidden.get(path) ?? 0;
  }

  #show(znode: LiveZnode | null, isHidden = false): void {
    this.selected = znode !== null ? { kind: "present", znode } : { kind: isHidden ? "hidden" : "missing" };
    this.#changed();
  }

  /** Counts a change on the row that hides it: the deepest znode on its way that is shown and not expanded. */
  #noteHidden(path: string): void {
    let above = parentOf(path);
    if (path === "/" || this.#lists.has(above)) return;
    if (this.#hidden.size > hiddenMax) this.#hidden.clear();
    while (!this.#lists.has(parentOf(above))) {
      if (above === "/") return;
      above = parentOf(above);
    }
    this.#hidden.set(above, (this.#hidden.get(above) ?? 0) + 1);
    this.#changed();
  }

  #mark(path: string, kind: string): void {
    if (this.#flashes.size >= flashesMax) return;
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
    const tell = (): void => {
      this.#isScheduled = false;
      for (const listener of this.#listeners) listener();
      // When all is quiet again, the page has to say so.
      clearTimeout(this.#quiet);
      if (this.changes.rate > 0) this.#quiet = setTimeout(() => this.#changed(), rateMs);
    };
    if (this.isBusy) setTimeout(tell, busyDrawMs);
    else requestAnimationFrame(tell);
  }
}
