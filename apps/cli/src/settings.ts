/**
 * Every setting of a member, once: what makes the flags of `serve`, what a file of `--config` may hold, its JSON schema, and the guide's page.
 *
 * Invariant: a setting has one name in a file, and a flag is that name with dashes.
 */
import { defaultBudgets, defaultClassBudgets, defaultHandshakes, defaultLimits } from "@copse/server";

export type Kind = "text" | "texts" | "flag" | "number" | "numbers" | "object";

export interface Setting {
  readonly name: string;
  readonly group: Group;
  readonly kind: Kind;
  /** What follows the flag, such as <host:port>; null for settings that only a file has, "" for flags without a value. */
  readonly value: string | null;
  readonly words: string;
  /** In words; "" where there is none. */
  readonly default: string;
  /** Read again on SIGHUP, or when the file changes. */
  readonly isReloaded?: true;
  readonly choices?: readonly string[];
  /** The only kind of process that has it; both do where this is absent. */
  readonly isOf?: "member" | "edge";
  /** The members of an object, each with its default; text where it depends on the machine. */
  readonly members?: Readonly<Record<string, number | string>>;
}

export const groups = {
  place: "The member and its addresses",
  ensemble: "The ensemble",
  access: "Access",
  tls: "Certificates",
  audit: "The log and the audit log",
  snapshots: "Scheduled snapshots",
  times: "Times and sizes",
  bounds: "Limits and budgets",
} as const;
export type Group = keyof typeof groups;

const classes = Object.keys(defaultClassBudgets);

type Rest = Partial<Pick<Setting, "isReloaded" | "choices" | "isOf" | "members">>;

function flag(name: string, group: Group, value: string, words: string, given = "", rest: Rest & { readonly kind?: Kind } = {}): Setting {
  return { name, group, kind: value === "" ? "flag" : "text", value, words, default: given, ...rest };
}

/** Of a file alone. */
function inFile(name: string, group: Group, kind: Kind, words: string, given: string, members?: Setting["members"]): Setting {
  return { name, group, kind, value: null, words, default: given, ...(members === undefined ? {} : { members }) };
}

const reloaded = { isReloaded: true } as const;
const ofMember = { isOf: "member" } as const;

const [heap, heapPerAddress] = ["an eighth of the heap, at least 64 MiB", "a quarter of the member's"];
const sharesOfHeap: Partial<Record<keyof typeof defaultBudgets, string>> = {
  receivedBytes: heap,
  receivedBytesPerAddress: heapPerAddress,
  unsentBytes: heap,
  unsentBytesPerAddress: heapPerAddress,
  followedBytes: heap,
  followedBytesPerAddress: heapPerAddress,
};

export const settings: readonly Setting[] = [
  flag(
    "id",
    "place",
    "<n>",
    "this member's id; hostname takes it from the host's name: a-0 is member 1; for an edge, a name",
    "1; for an edge, a random name",
  ),
  flag("listen", "place", "<host:port>", "address for clients and the page", "127.0.0.1:7181"),
  flag("data", "place", "<dir>", "data directory", ".copse", ofMember),
  flag("advertise", "place", "<url>", "the URL advertised to clients", "made from --listen"),
  flag("origin", "place", "<origin>", "a further origin whose pages may connect; may be repeated", "", { kind: "texts" }),
  flag("trustProxy", "place", "<network>", "trust Forwarded and X-Forwarded-For from this address or network; may be repeated", "", {
    kind: "texts",
  }),
  flag(
    "adminListen",
    "place",
    "<host:port>",
    "address for /metrics, /healthz and /readyz, apart from the clients' port",
    "that of --listen",
  ),
  flag(
    "transport",
    "place",
    "<name>",
    "what carries clients; auto is ws where strangers may come, else uWebSockets.js if it is installed",
    "auto",
    {
      choices: ["auto", "ws", "uws"],
    },
  ),

  flag(
    "edges",
    "place",
    "<n>",
    "carry clients with so many processes, which follow this one; auto is one for each core but one",
    "",
    ofMember,
  ),
  flag("of", "ensemble", "<list>", "where those listen for peers whom this edge may follow, the likeliest first: HOST:PORT,…", "", {
    isOf: "edge",
  }),
  flag("peers", "ensemble", "<list>", "all members and where their peers reach them: 1=HOST:PORT,2=…", "", ofMember),
  flag("peerListen", "ensemble", "<host:port>", "address for peers"),
  flag("join", "ensemble", "", "wait to be added to the running ensemble that --peers names; not needed on later starts", "", ofMember),
  flag(
    "found",
    "ensemble",
    "",
    "let a majority of --peers found a new ensemble; DANGEROUS unless the missing members have no data",
    "",
    ofMember,
  ),
  flag(
    "peerSecretFile",
    "ensemble",
    "<file>",
    "the secret that all members share; during a change, a second line holds the other one, which is accepted too",
    "",
    reloaded,
  ),

  flag("superFile", "access", "<file>", "the output of copse hash-password: that password allows everything", "", reloaded),
  flag(
    "identity",
    "access",
    "<file>",
    "JSON file: trusted token issuers, admins, what anonymous clients may do (reloaded when it changes)",
    "",
    reloaded,
  ),
  flag("insecure", "access", "", "anyone who reaches the port may do anything"),
  flag("readOnly", "access", "", "allow no writes"),

  flag("tlsCert", "tls", "<file>", "certificate: serve wss and https", "", reloaded),
  flag("tlsKey", "tls", "<file>", "its key", "", reloaded),
  flag("tlsClientCa", "tls", "<file>", "clients may prove who they are with certificates of this CA (x509)", "", reloaded),
  flag("peerTlsCert", "tls", "<file>", "certificate for peers; its common name must be copse-member-ID", "", reloaded),
  flag("peerTlsKey", "tls", "<file>", "its key", "", reloaded),
  flag("peerTlsCa", "tls", "<file>", "the CA of the members' certificates", "", reloaded),

  flag("logLevel", "audit", "<level>", "the lowest level that is logged", "info", {
    isReloaded: true,
    choices: ["trace", "debug", "info", "warn", "error", "fatal", "silent"],
  }),
  flag(
    "auditFile",
    "audit",
    "<file>",
    "a line of JSON for each write, failed authentication and change of the ensemble (opened anew on SIGHUP)",
    "",
    reloaded,
  ),
  flag("auditOnError", "audit", "<what>", "what to do when the audit log can't be written: stop the hub, or drop lines", "stop", {
    choices: ["stop", "drop"],
  }),
  flag("auditDenials", "audit", "", "also log each read refused for lack of permission"),

  flag("snapshotEvery", "snapshots", "<time>", "save a snapshot at this interval, such as 6h", "", ofMember),
  flag("snapshotTo", "snapshots", "<dir>", "the folder for them", "", ofMember),
  flag("snapshotKeep", "snapshots", "<n>", "how many snapshots to keep", "7", { kind: "number", ...ofMember }),

  inFile("timeoutMsMin", "times", "number", "the shortest timeout of a session, in milliseconds", "4000"),
  inFile("timeoutMsMax", "times", "number", "the longest timeout of a session, in milliseconds", "120000"),
  inFile("timeoutMsDefault", "times", "number", "the timeout of a session that asks for none, in milliseconds", "30000"),
  inFile(
    "silenceMs",
    "times",
    "number",
    "ping a connection that has been silent this long, in milliseconds; close it after as long again",
    "30000",
  ),
  inFile("reapMs", "times", "number", "how often containers and TTL znodes that are due are looked for, in milliseconds", "60000"),
  inFile("compareMs", "times", "number", "how often all members compare their trees, in milliseconds", "3600000"),
  inFile("historyBytes", "times", "number", "bytes of changes kept for clients that come back", "67108864"),
  inFile("snapshotLogBytes", "times", "number", "bytes of log after which a snapshot is taken", "67108864"),
  inFile("segmentBytes", "times", "number", "bytes of one file of the log", "67108864"),
  inFile(
    "diskReserveBytes",
    "times",
    "number",
    "bytes of the disk below which writes that grow are refused",
    "the smaller of 256 MiB and 5 % of the disk",
  ),

  inFile("limits", "bounds", "numbers", "limits that clients are told when they connect", "", { ...defaultLimits }),
  inFile("handshakes", "bounds", "numbers", "new connections from one address", "", { ...defaultHandshakes }),
  inFile("budgets", "bounds", "numbers", "what one member, and one address, may hold and ask for; on loopback most have no bound", "", {
    ...defaultBudgets,
    ...sharesOfHeap,
  }),
  inFile("classes", "bounds", "object", `budgets of one identity, by its class: ${classes.join(", ")}`, ""),
];

const byName: ReadonlyMap<string, Setting> = new Map(settings.map((setting) => [setting.name, setting]));

export function settingOf(name: string): Setting | null {
  return byName.get(name) ?? null;
}

/** The flag of a setting, as commander wants it. */
export function flagOf({ name, value }: Setting): string {
  const dashed = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return value === "" ? `--${dashed}` : `--${dashed} ${value}`;
}

/** The JSON schema of a file for --config. */
export function configSchema(): object {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "copse serve --config",
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(settings.map((setting) => [setting.name, schemaOf(setting)])),
  };
}

const number = { type: "integer", minimum: 1 };

function schemaOf({ kind, words, choices, members, default: given }: Setting): object {
  const description = given === "" ? words : `${words} (default: ${given})`;
  switch (kind) {
    case "text":
      return { type: "string", description, ...(choices === undefined ? {} : { enum: choices }) };
    case "texts":
      return { type: "array", items: { type: "string" }, description };
    case "flag":
      return { type: "boolean", description };
    case "number":
      return { ...number, description };
    case "numbers":
      return { description, ...objectOf(Object.keys(members!)) };
    case "object":
      return {
        description,
        type: "object",
        additionalProperties: false,
        properties: Object.fromEntries(classes.map((one) => [one, objectOf(Object.keys(defaultClassBudgets.authenticated))])),
      };
  }
}

function objectOf(names: readonly string[]): object {
  const properties = Object.fromEntries(names.map((name) => [name, { type: "number", exclusiveMinimum: 0 }]));
  return { type: "object", additionalProperties: false, properties };
}
