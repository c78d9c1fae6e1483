/**
 * What the address names: a view, and in the tree a znode and a tab. Every row of every view is a link to such an address.
 */
export type ViewName = "tree" | "search" | "changes" | "sessions" | "locks" | "ensemble";
export type TabName = "data" | "acl" | "who" | "watches" | "raw";

export interface Route {
  readonly view: ViewName;
  /** Of the selected znode. */
  readonly path: string;
  readonly tab: TabName;
}

const views: readonly ViewName[] = ["tree", "search", "changes", "sessions", "locks", "ensemble"];
const tabs: readonly TabName[] = ["data", "acl", "who", "watches", "raw"];

/** An address that was cut or mistyped names the root. */
export function routeOf(hash: string): Route {
  const [place = "", query = ""] = hash.replace(/^#\//, "").split("?", 2);
  const view = views.find((name) => name === place) ?? "tree";
  const tab = tabs.find((name) => name === new URLSearchParams(query).get("tab")) ?? "data";
  return { view, path: pathOf(place), tab };
}

/** The address of a znode in the tree. */
export function znodeHash(path: string, tab: TabName = "data"): string {
  const query = tab === "data" ? "" : `?tab=${tab}`;
  return `#/n${path.split("/").map(encodeURIComponent).join("/")}${query}`;
}

export function viewHash(view: ViewName, path: string): string {
  return view === "tree" ? znodeHash(path) : `#/${view}`;
}

function pathOf(place: string): string {
  if (!place.startsWith("n/")) return "/";
  try {
    return place.slice(1).split("/").map(decodeURIComponent).join("/");
  } catch {
    return "/";
  }
}
