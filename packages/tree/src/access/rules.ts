/**
 * Rules: grants for whole subtrees, in one document that is part of the state (the data of `/copse/rules`).
 *
 * A permission takes both: the znode's ACL, and the rules where there is a document. Invariants: rules are judged by path alone, whether
 * or not there is a znode; they never apply at or below `/copse`, where a quota is judged as the path that it bounds; grants add up, and no
 * rule takes any away. Patterns are compiled into a trie once a document; what all rules of a path grant becomes one ACL, so that
 * nothing is compared twice for one caller.
 */
import { isReserved, type Permission } from "@copse/protocol";
import { governedBy, isQuotaPath } from "../operations/quota.ts";
import { Acl, type Caller, mayDo, mayDoByName, passesAll } from "./acl.ts";
import { Remembered } from "./remembered.ts";
import { type Grant, grantedTo, type Rule, type RulesDocument } from "./rules-document.ts";

/** A place in the patterns: what may come next, and the rules that end here. */
interface Place {
  readonly literal: Map<string, Place>;
  any: Place | null;
  readonly ends: Rule[];
  readonly deep: Rule[];
}

/** A rule that matches a path, with its grants to those whom the path's variables name. */
interface Matched {
  readonly rule: Rule;
  readonly acl: Acl;
}

/** All rules of one path, and what they grant but for conditions. */
interface Found {
  readonly matched: readonly Matched[];
  /** Without what is granted on a condition; null where no rule matches. */
  readonly acl: Acl | null;
}

/** What a create or a set brings, for conditions. */
export interface Brought {
  readonly isEphemeral: boolean;
}

/** What is remembered of paths, and of ACLs that paths share, in bytes each. */
const rememberedBytesMax = 8_388_608;
/** About what a path, a rule that matches it, and an item of an ACL take, in bytes. */
const foundBytes = 256;
const matchedBytes = 64;
const itemBytes = 256;

export class Rules {
  readonly #top: Place = place();
  readonly #document: RulesDocument;
  readonly #found: Remembered<Found> = new Remembered(rememberedBytesMax);
  /** ACLs that do not depend on variables are shared by the paths to which the same rules apply. */
  readonly #shared: Remembered<Acl> = new Remembered(rememberedBytesMax);

  constructor(document: RulesDocument) {
    this.#document = document;
    for (const rule of document.rules) {
      let at = this.#top;
      for (const segment of rule.segments) at = next(at, segment.kind === "literal" ? segment.name : null);
      (rule.isDeep ? at.deep : at.ends).push(rule);
    }
  }

  /** True if the rules let the caller do this at the path. A create is asked for what it would make. */
  grants(path: string, permission: Permission, caller: Caller, brought: Brought | null = null): boolean {
    const judged = judgedPath(path);
    if (judged === null || passesAll(caller)) return true;
    const { acl, matched } = this.#at(judged);
    if (acl === null) return this.#document.otherwise === "allow";
    if (mayDo(acl, permission, caller)) return true;
    if (brought?.isEphemeral !== true || permission !== "create") return false;
    return matched.some((one) => one.rule.isEphemeral && mayDo(one.acl, permission, caller));
  }

  /** True if the rules name the caller, and not only everyone, for this at the path. */
  grantsByName(path: string, permission: Permission, caller: Caller): boolean {
    const judged = judgedPath(path);
    const acl = judged === null ? null : this.#at(judged).acl;
    return acl !== null && mayDoByName(acl, permission, caller);
  }

  /** True if no rule that grants a create or a set takes so many bytes. It is granted. */
  isTooMuchData(path: string, permission: "create" | "write", caller: Caller, brought: Brought, bytes: number): boolean {
    const judged = judgedPath(path);
    if (judged === null || passesAll(caller)) return false;
    const { matched } = this.#at(judged);
    if (matched.length === 0) return false;
    return !matched.some(({ rule, acl }) => {
      const isMet = permission !== "create" || !rule.isEphemeral || brought.isEphemeral;
      return isMet && mayDo(acl, permission, caller) && (rule.dataBytes === null || bytes <= rule.dataBytes);
    });
  }

  /** True if the caller may read the path and whatever may be below it, by a pattern that covers all of that. */
  grantsReadBelow(path: string, caller: Caller): boolean {
    const judged = judgedPath(path);
    if (judged === null || passesAll(caller)) return true;
    let isCovered = this.#document.otherwise === "allow" && !this.#reachesBelow(judged);
    this.#walk(judged, (rule, segments, isDeep) => {
      if (isDeep && mayDo(aclOf([rule], segments, false), "read", caller)) isCovered = true;
    });
    return isCovered;
  }

  /** The rules that match a path, and whether each grants this to the caller. */
  explain(path: string, permission: Permission, caller: Caller): readonly { readonly index: number; readonly granted: boolean }[] {
    const judged = judgedPath(path);
    if (judged === null) return [];
    return this.#at(judged).matched.map(({ rule, acl }) => ({ index: rule.index, granted: mayDo(acl, permission, caller) }));
  }

  get otherwise(): "allow" | "deny" {
    return this.#document.otherwise;
  }

  #at(path: string): Found {
    const known = this.#found.get(path);
    if (known !== undefined) return known;
    const rules: { readonly rule: Rule; readonly segments: readonly string[] }[] = [];
    this.#walk(path, (rule, segments) => rules.push({ rule, segments }));
    rules.sort((a, b) => a.rule.index - b.rule.index);
    const [first] = rules;
    const found: Found = {
      matched: rules.map(({ rule, segments }) => ({ rule, acl: this.#aclOf([rule], segments, false) })),
      acl:
        first === undefined
          ? null
          : this.#aclOf(
              rules.map(({ rule }) => rule),
              first.segments,
              true,
            ),
    };
    this.#found.add(path, found, foundBytes + rules.reduce((bytes, { rule }) => bytes + ownBytes(rule), 0));
    return found;
  }

  #aclOf(rules: readonly Rule[], segments: readonly string[], isUnconditional: boolean): Acl {
    if (rules.some(({ hasVariables }) => hasVariables)) return aclOf(rules, segments, isUnconditional);
    const key = `${isUnconditional} ${rules.map(({ index }) => index).join(" ")}`;
    let acl = this.#shared.get(key);
    if (acl === undefined) {
      acl = aclOf(rules, segments, isUnconditional);
      this.#shared.add(key, acl, itemBytes * acl.items.length);
    }
    return acl;
  }

  /** Finds the rules of a path. Each place of the trie is visited once, so there are never more steps than the document has segments. */
  #walk(path: string, visit: (rule: Rule, segments: readonly string[], isDeep: boolean) => void): void {
    const segments = path === "/" ? [] : path.slice(1).split("/");
    const step = (at: Place, depth: number): void => {
      for (const rule of at.deep) visit(rule, segments, true);
      const name = segments[depth];
      if (name === undefined) {
        for (const rule of at.ends) visit(rule, segments, false);
        return;
      }
      const literal = at.literal.get(name);
      if (literal !== undefined) step(literal, depth + 1);
      if (at.any !== null) step(at.any, depth + 1);
    };
    step(this.#top, 0);
  }

  /** True if some pattern may match the path or something below it. */
  #reachesBelow(path: string): boolean {
    const segments = path === "/" ? [] : path.slice(1).split("/");
    const step = (at: Place, depth: number): boolean => {
      if (at.deep.length > 0 || depth === segments.length) return true;
      const literal = at.literal.get(segments[depth]!);
      return (literal !== undefined && step(literal, depth + 1)) || (at.any !== null && step(at.any, depth + 1));
    };
    return step(this.#top, 0);
  }
}

/** As what path a path is judged, or null where rules do not apply. */
function judgedPath(path: string): string | null {
  if (!isReserved(path)) return path;
  return isQuotaPath(path) ? governedBy(path) : null;
}

/** What rules grant at a path with these segments, as an ACL. */
function aclOf(rules: readonly Rule[], segments: readonly string[], isUnconditional: boolean): Acl {
  const items = rules.flatMap(({ grants, isEphemeral }) => {
    const withoutCreate = ({ item, variables }: Grant): Grant => ({
      item: { ...item, perms: item.perms.filter((perm) => perm !== "create") },
      variables,
    });
    return (isUnconditional && isEphemeral ? grants.map(withoutCreate) : grants).map((grant) => grantedTo(grant, segments));
  });
  return new Acl(items);
}

/** What a rule adds to what is remembered of a path: where it has variables, its grants stand in two ACLs of that path's own. */
function ownBytes({ grants, hasVariables }: Rule): number {
  return matchedBytes + (hasVariables ? 2 * itemBytes * grants.length : 0);
}

function place(): Place {
  return { literal: new Map(), any: null, ends: [], deep: [] };
}

function next(at: Place, name: string | null): Place {
  if (name === null) {
    at.any ??= place();
    return at.any;
  }
  let found = at.literal.get(name);
  if (found === undefined) {
    found = place();
    at.literal.set(name, found);
  }
  return found;
}
