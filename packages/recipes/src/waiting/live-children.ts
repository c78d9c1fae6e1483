/**
 * A store of what the children of a znode say, each parsed once for each change.
 *
 * Invariant: a child that did not change is the same object in the next snapshot. One whose data makes no sense is left out: it is
 * its owner's fault, and must not hide the others.
 */
import { type Copse, type LiveZnode, liveStore, type Store } from "@copse/client";

/** @param parse what a child stands for; undefined leaves it out, and so does an error */
export function liveChildren<T>(copse: Copse, path: string, parse: (znode: LiveZnode) => T | undefined): Store<readonly T[]> {
  return liveStore<readonly T[]>([], (sink) => {
    let known = new Map<string, { readonly znode: LiveZnode; readonly item: T | undefined }>();
    const show = (znodes: ReadonlyMap<string, LiveZnode>): void => {
      const next: typeof known = new Map();
      for (const [child, znode] of znodes) {
        if (child === path) continue;
        const before = known.get(child);
        next.set(child, before?.znode === znode ? before : { znode, item: parsed(parse, znode) });
      }
      known = next;
      const paths = [...next.keys()].sort();
      sink.live(paths.map((child) => next.get(child)!.item).filter((item) => item !== undefined));
    };
    let mirror: ReadonlyMap<string, LiveZnode> = new Map();
    return copse.observe(
      path,
      { scope: "children" },
      {
        state: (znodes, _zxid, isHidden) => {
          mirror = znodes;
          if (isHidden || znodes.get(path)?.isDenied === true) sink.denied(path);
          else show(mirror);
        },
        changes: (changes) => {
          if (changes.some((change) => change.path !== path)) show(mirror);
        },
        failed: (error) => sink.failed(error),
      },
    );
  });
}

function parsed<T>(parse: (znode: LiveZnode) => T | undefined, znode: LiveZnode): T | undefined {
  try {
    return parse(znode);
  } catch {
    // Not JSON, or not of the shape: as if it were not there.
    return undefined;
  }
}
