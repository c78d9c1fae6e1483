/**
 * The document of rules: what its text says, checked to the last field.
 *
 * Whatever is wrong is named with its rule and its field. What comes out is complete: a rule's pattern is a list of segments, and each of
 * its grants knows the segments that its variables stand for.
 */
import { type AclItem, decodeAcl, demanded, type Identity, isMasked, permissions, type Value } from "@copse/protocol";
import { isIdOf } from "./acl.ts";

export type Segment = { readonly kind: "literal"; readonly name: string } | { readonly kind: "any"; readonly variable: string | null };

/** An item of a rule; a variable in an id stands for the segment of the path at that place. */
export interface Grant {
  readonly item: AclItem;
  /** By the place of the identity in the item: the segment that its variable names, or null. */
  readonly variables: readonly (number | null)[];
}

export interface Rule {
  /** Its place in the document. */
  readonly index: number;
  readonly segments: readonly Segment[];
  /** True where the pattern ends with `**`. */
  readonly isDeep: boolean;
  readonly grants: readonly Grant[];
  readonly hasVariables: boolean;
  /** Grants the creation of ephemerals alone. */
  readonly isEphemeral: boolean;
  /** Bytes of data that a create or a set may bring; null for no bound. */
  readonly dataBytes: number | null;
}

export interface RulesDocument {
  readonly rules: readonly Rule[];
  readonly otherwise: "allow" | "deny";
}

/** Bytes of the document, and rules in it. */
export const rulesBytesMax = 262_144;
export const rulesMax = 1_000;

/** The document that a znode's data says, null where it says none, or what is wrong with it. */
export function documentOf(value: Value | null): RulesDocument | null | string {
  if (value === null || value.bytes === 0) return null;
  if (value.bytes > rulesBytesMax) return `rules: at most ${rulesBytesMax} bytes`;
  if (value.isBase64) return "rules: must be JSON";
  let said: unknown;
  try {
    said = JSON.parse(JSON.parse(value.json) as string);
  } catch {
    return "rules: must be JSON";
  }
  if (!isObject(said)) return "rules: must be an object";
  const fault = unknownField(said, ["version", "otherwise", "rules"]);
  if (fault !== null) return `rules: ${fault}`;
  if (said["version"] !== 1) return "rules: version must be 1";
  const otherwise = said["otherwise"];
  if (otherwise !== "allow" && otherwise !== "deny") return "rules: otherwise must be allow or deny";
  const list = said["rules"];
  if (!Array.isArray(list)) return "rules: rules must be an array";
  if (list.length > rulesMax) return `rules: at most ${rulesMax} rules`;
  const rules: Rule[] = [];
  for (const [index, one] of (list as unknown[]).entries()) {
    const rule = ruleOf(one, index);
    if (typeof rule === "string") return `rules[${index}].${rule}`;
    rules.push(rule);
  }
  return { rules, otherwise };
}

function ruleOf(said: unknown, index: number): Rule | string {
  if (!isObject(said)) return "path: must be an object with path and allow";
  const fault = unknownField(said, ["path", "allow", "ephemeral", "dataBytes"]);
  if (fault !== null) return fault;
  const pattern = patternOf(said["path"]);
  if (typeof pattern === "string") return `path: ${pattern}`;
  const { ephemeral = null, dataBytes = null } = said;
  if (ephemeral !== null && typeof ephemeral !== "boolean") return "ephemeral: must be true or false";
  if (dataBytes !== null && !(Number.isSafeInteger(dataBytes) && (dataBytes as number) >= 0))
    return "dataBytes: must be an integer from 0 on";
  const items = decodeAcl(said["allow"], "allow");
  if (!Array.isArray(items)) return `allow: ${items.message.replace(/^allow:? ?/, "")}`;
  const grants: Grant[] = [];
  for (const [at, item] of items.entries()) {
    const grant = grantOf(item, pattern.segments);
    if (typeof grant === "string") return `allow[${at}].${grant}`;
    grants.push(grant);
  }
  return {
    index,
    ...pattern,
    grants,
    hasVariables: grants.some(({ variables }) => variables.some((variable) => variable !== null)),
    isEphemeral: ephemeral === true,
    dataBytes: dataBytes as number | null,
  };
}

const variableName = /^[A-Za-z_][A-Za-z0-9_]{0,31}$/;

function patternOf(said: unknown): Pick<Rule, "segments" | "isDeep"> | string {
  if (typeof said !== "string" || !said.startsWith("/")) return "must be a pattern that begins with /";
  const texts = said === "/" ? [] : said.slice(1).split("/");
  const isDeep = texts.at(-1) === "**";
  if (isDeep) texts.pop();
  const segments: Segment[] = [];
  const names = new Set<string>();
  for (const text of texts) {
    if (text === "*") segments.push({ kind: "any", variable: null });
    else if (text === "**") return "** stands only at the end";
    else if (text.startsWith("{") && text.endsWith("}")) {
      const variable = text.slice(1, -1);
      if (!variableName.test(variable)) return `{${variable.slice(0, 40)}} is not a variable's name`;
      if (names.has(variable)) return `{${variable}} stands there twice`;
      names.add(variable);
      segments.push({ kind: "any", variable });
    } else if (text === "" || text === "." || text === ".." || /[*{}]/.test(text)) {
      return `${JSON.stringify(text.slice(0, 40))} is not a segment: a name, *, {variable}, or ** at the end`;
    } else segments.push({ kind: "literal", name: text });
  }
  return { segments, isDeep };
}

function grantOf(item: AclItem, segments: readonly Segment[]): Grant | string {
  if (item.perms.length === 0 || !item.perms.every((perm) => (permissions as readonly string[]).includes(perm)))
    return `perms: must hold some of ${permissions.join(", ")}`;
  const variables: (number | null)[] = [];
  for (const identity of demanded(item)) {
    const variable = variableOf(identity, segments);
    if (typeof variable === "string") return variable;
    if (variable === null && (isMasked(identity) || !isIdOf(identity))) return "id: not one that its scheme takes";
    variables.push(variable);
  }
  return { item, variables };
}

/** The segment that stands in an id, null for none, or what is wrong. */
function variableOf({ scheme, id }: Identity, segments: readonly Segment[]): number | null | string {
  const names = [...id.matchAll(/\{([A-Za-z_][A-Za-z0-9_]{0,31})\}/g)].map(([, name]) => name!);
  if (names.length === 0 || (scheme !== "token" && scheme !== "claim")) return null;
  const whole = (scheme === "token" ? /^[a-z0-9_-]{1,32}:\{(\w+)\}$/ : /^[a-z0-9_-]{1,32}:[a-z0-9_-]{1,32}=\{(\w+)\}$/).exec(id);
  if (whole === null) return "id: one variable may stand in an id, for the whole subject or the whole value";
  const at = segments.findIndex((segment) => segment.kind === "any" && segment.variable === whole[1]);
  return at < 0 ? `id: {${whole[1]}} is not in the path` : at;
}

/** The item of a grant at a path with these segments. */
export function grantedTo({ item, variables }: Grant, segments: readonly string[]): AclItem {
  if (variables.every((variable) => variable === null)) return item;
  const identities = demanded(item).map(({ scheme, id }, at): Identity => {
    const segment = variables[at];
    return segment == null ? { scheme, id } : { scheme, id: id.slice(0, id.indexOf("{")) + segments[segment]! };
  });
  return item.all === undefined ? { perms: item.perms, ...identities[0]! } : { perms: item.perms, all: identities };
}

function unknownField(said: Record<string, unknown>, known: readonly string[]): string | null {
  const other = Object.keys(said).find((name) => !known.includes(name));
  return other === undefined ? null : `${other.slice(0, 40)}: there is no such field`;
}

function isObject(said: unknown): said is Record<string, unknown> {
  return typeof said === "object" && said !== null && !Array.isArray(said);
}
