/**
 * The command line: names, flags and help; each subcommand's work is in a file of its own.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import {
  checkRules,
  explain as explainAccess,
  getRules,
  listRevoked,
  type RevokeFlags,
  removeRules,
  revoke,
  setRules,
  whoAmI,
} from "./commands/access.ts";
import { getAcl, type SetAclFlags, setAcl } from "./commands/acls.ts";
import { campaign, holdLock } from "./commands/holding.ts";
import { type AddFlags, addMember, listMembers, removeMember } from "./commands/members.ts";
import { listQuotas, type QuotaFlags, removeQuota, setQuota } from "./commands/quotas.ts";
import { type ServeFlags, serve } from "./commands/serve.ts";
import { offline, printLog, recover, restore, saveSnapshot, showSnapshot, verify } from "./commands/snapshot.ts";
import { showTime, stepTime } from "./commands/time.ts";
import { exportTree, importTree } from "./commands/transfer.ts";
import { create, get, list, remove, set, stat, tree, watch } from "./commands/znodes.ts";
import { exitCode, exitCodeHelp, explain } from "./exit-code.ts";
import { printPasswordHash } from "./password.ts";
import { note, type Shared } from "./terminal.ts";

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError("not an integer");
  return value;
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

interface Opts {
  readonly url: string;
  readonly output: "text" | "json";
  readonly auth?: string;
  readonly super?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly timeout: number;
}

/** Runs the command; sets the exit code, and prints one line on what went wrong. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("copse")
    .description("Coordination for the web: a small, strongly consistent tree of znodes.")
    .option("--url <url>", "one or more members, separated by commas", process.env["COPSE_URL"] ?? "ws://127.0.0.1:7181")
    .addOption(new Option("-o, --output <form>", "text or json").choices(["text", "json"]).default("text"))
    .option("--auth <user:password>", "prove a digest credential (COPSE_AUTH)", process.env["COPSE_AUTH"])
    .option("--super <password>", "prove the super password (COPSE_SUPER)", process.env["COPSE_SUPER"])
    .option("--token <jwt>", "prove a token of an issuer that the hub knows (COPSE_TOKEN)", process.env["COPSE_TOKEN"])
    .option("--token-file <file>", "read the token from a file, anew at each connect", process.env["COPSE_TOKEN_FILE"])
    .option("--timeout <ms>", "how long to wait for a connection", integer, 5_000)
    .addHelpText("after", exitCodeHelp)
    .showHelpAfterError("(copse --help lists the commands, copse COMMAND --help its flags)")
    .exitOverride();
  const shared = (): Shared => {
    const { url, output, auth, super: superPassword, token, tokenFile, timeout } = program.opts<Opts>();
    const credentials = [
      ...(auth === undefined ? [] : [{ scheme: "digest", credential: auth }]),
      ...(superPassword === undefined ? [] : [{ scheme: "super", credential: superPassword }]),
      ...(token === undefined || tokenFile !== undefined ? [] : [{ scheme: "token", credential: token }]),
    ];
    return { url, output, credentials, ...(tokenFile === undefined ? {} : { tokenFile }), waitMs: timeout };
  };
  // What a flag says stands in the list of processes: not for longer than it takes to read it.
  if (argv.some((word) => /^--(auth|super|token)(=|$)/.test(word))) process.title = "copse";

  program
    .command("serve")
    .description("serve one member")
    .option("--id <n>", "this member's id")
    .option("--listen <host:port>", "address for clients and the page (default 127.0.0.1:7181)")
    .option("--data <dir>", "data directory (default .copse)")
    .option("--advertise <url>", "the URL advertised to clients")
    .option("--origin <origin>", "a further origin whose pages may connect; may be repeated", collect)
    .option("--peers <list>", "all members and where their peers reach them: 1=HOST:PORT,2=…")
    .option("--peer-listen <host:port>", "address for peers")
    .option("--join", "wait to be added to the ensemble that --peers names; later starts need it no more")
    .option("--found", "let a majority of --peers found a new ensemble: those that are missing have no data")
    .option("--peer-secret-file <file>", "a secret that all members share")
    .option("--peer-tls-cert <file>", "certificate for peers, its name copse-member-ID")
    .option("--peer-tls-key <file>", "its key")
    .option("--peer-tls-ca <file>", "the CA of the members' certificates")
    .option("--super-file <file>", "the output of copse hash-password: that password allows everything")
    .option("--identity <file>", "JSON file: trusted token issuers, admins, what anonymous clients may do (reloaded when it changes)")
    .option("--audit-file <file>", "a line of JSON for each write, failed authentication and change of the ensemble")
    .option("--audit-on-error <what>", "stop the hub where the audit log can't be written (the default), or drop its lines")
    .option("--audit-denials", "a line for each read that is refused for want of a permission, too")
    .option("--transport <name>", "auto, ws or uws; auto is ws where strangers may come, else uWebSockets.js if it is installed")
    .option("--tls-cert <file>", "certificate: serve wss and https")
    .option("--tls-key <file>", "its key")
    .option("--tls-client-ca <file>", "clients may prove who they are with certificates of this CA (x509)")
    .option("--read-only", "allow no writes")
    .option("--snapshot-every <time>", "save a snapshot of the whole state by itself, such as every 6h")
    .option("--snapshot-to <dir>", "the folder for them")
    .option("--snapshot-keep <n>", "how many stay (default 7)", integer)
    .option("--trust-proxy <network>", "trust Forwarded and X-Forwarded-For from this address or network; may be repeated", collect)
    .option("--admin-listen <host:port>", "address for /metrics, /healthz and /readyz, apart from the clients' port")
    .option("--insecure", "anyone who reaches the port may do anything")
    .option("--log-level <level>", "trace, debug, info, warn, error or silent")
    .option("--config <file>", "settings as JSON, by the names of these flags")
    .addOption(new Option("--welcome").hideHelp())
    .action((flags: ServeFlags) => serve(flags));

  program
    .command("hash-password")
    .description("read a password from standard input and print the line for --super-file")
    .action(() => printPasswordHash());

  program
    .command("get <path>")
    .description("print a znode's data")
    .action((path: string) => get(path, shared()));
  program
    .command("set <path> [data]")
    .description("replace a znode's data; - reads standard input")
    .option("--file <file>", "read the data from a file")
    .option("--version <n>", "only if the znode has this version", integer)
    .option("--create", "create it, and its ancestors, if it is missing")
    .action((path: string, data: string | undefined, flags) => set(path, data, flags, shared()));
  program
    .command("create <path> [data]")
    .description("create a znode and print its path")
    .option("--file <file>", "read the data from a file")
    .option("--ephemeral", "owned by this command's session, and held until Ctrl-C")
    .option("--sequential", "append a number that no sibling ever had")
    .option("--container", "remove it when its last child is deleted")
    .option("--ttl <ms>", "remove it this long after its last change, while it has no children", integer)
    .option("--parents", "create missing ancestors too")
    .action((path: string, data: string | undefined, flags) => create(path, data, flags, shared()));
  program
    .command("rm <path>")
    .description("delete a znode")
    .option("-r, --recursive", "delete all descendants too, in one txn")
    .option("--version <n>", "only if the znode has this version", integer)
    .action((path: string, flags) => remove(path, flags, shared()));
  program
    .command("getacl <path>")
    .description("print a znode's ACL and the default ACL of its children")
    .action((path: string) => getAcl(path, shared()));
  program
    .command("setacl <path> [items...]")
    .description("set who may do what: scheme:id:permissions, as in world:anyone:read or digest:ann:HASH:rwcda")
    .option("--default <item>", "the ACL that children get by default, and their children; may be repeated", collect)
    .option("--no-default", "remove the default ACL: children get the open ACL")
    .option("--version <n>", "only if its ACL has this version", integer)
    .action((path: string, items: string[], flags: { default?: readonly string[] | boolean; version?: number }) => {
      const { default: handedOn, version } = flags;
      const given: SetAclFlags = {
        ...(typeof handedOn === "object" ? { default: handedOn } : handedOn === false ? { default: false } : {}),
        ...(version === undefined ? {} : { version }),
      };
      return setAcl(path, items, given, shared());
    });
  program
    .command("whoami")
    .description("print the identities that the hub sees, and whether they make an admin")
    .action(() => whoAmI(shared()));
  program
    .command("explain <perm> <path>")
    .description("say whether read, write, create, delete or admin is allowed at a path, and why")
    .option("--as <identity>", 'for another caller, such as "token acme:ada" (admins); may be repeated', collect)
    .action((perm: string, path: string, flags: { as?: readonly string[] }) => explainAccess(perm, path, flags, shared()));
  program
    .command("revoke <identity>")
    .description('take an identity, such as "token acme:ada", from whoever has it, and end their sessions (admins)')
    .option("--before <time>", "only credentials issued before this time")
    .option("--keep-sessions", "their sessions go on without it")
    .option("--lift", "accept such credentials again")
    .action((identity: string, flags: RevokeFlags) => revoke(identity, flags, shared()));
  program
    .command("revoked")
    .description("list the revocations that hold (admins)")
    .action(() => listRevoked(shared()));
  const rules = program.command("rules").description("grants for whole subtrees: read, write and check the rules (admins)");
  rules
    .command("get")
    .description("print the rules")
    .action(() => getRules(shared()));
  rules
    .command("set <file>")
    .description("replace the rules; - reads standard input")
    .option("--version <n>", "only if their znode has this version", integer)
    .action((file: string, flags: { version?: number }) => setRules(file, flags, shared()));
  rules
    .command("remove")
    .description("remove the rules: ACLs alone decide")
    .action(() => removeRules(shared()));
  rules
    .command("check <file>")
    .description("compare the hub with a file of cases: [{identity, perm, path, expected}]; exit code 1 where one differs")
    .action((file: string) => checkRules(file, shared()));

  program
    .command("ls [path]")
    .description("list children")
    .option("-l, --long", "with stats")
    .action((path: string | undefined, flags) => list(path ?? "/", flags, shared()));
  program
    .command("stat <path>")
    .description("print a znode's stat")
    .action((path: string) => stat(path, shared()));
  program
    .command("tree [path]")
    .description("print a subtree")
    .option("-d, --depth <n>", "levels to show", integer)
    .option("--data", "with the head of each znode's data")
    .action((path: string | undefined, flags) => tree(path ?? "/", flags, shared()));
  program
    .command("watch [path]")
    .description("print every change as it happens")
    .option("--scope <scope>", "node, children or tree", "node")
    .option("-n, --count <n>", "exit after this many changes", integer)
    .action((path: string | undefined, flags) => watch(path ?? "/", flags, shared()));
  program
    .command("export [path]")
    .description("print a subtree as NDJSON, or as one array with -o json")
    .option("--file <file>", "write to a file")
    .option("--ephemerals", "ephemerals too; an import leaves them out")
    .option("--no-acls", "without ACLs and sequence counters")
    .action((path: string | undefined, flags) => exportTree(path ?? "/", flags, shared()));
  program
    .command("import <path>")
    .description("create a subtree from what export printed")
    .option("--file <file>", "read from a file; else from standard input")
    .option("--conflict <policy>", "fail, skip or overwrite where a znode exists", "fail")
    .option("--no-acls", "without the ACLs that the file has")
    .option("--no-counters", "sequence numbers begin anew; else it takes an admin")
    .option("--unchecked", "take a file without the first and last line that export writes")
    .action((path: string, flags) => importTree(path, flags, shared()));
  program
    .command("lock <path> [command...]")
    .description("hold a lock while a command runs, or until Ctrl-C")
    .option("--wait <ms>", "give up after this many milliseconds", integer)
    .action((path: string, command: string[], flags) => holdLock(path, command, flags, shared()));
  program
    .command("elect <path> [command...]")
    .description("campaign, and run a command while leading")
    .option("--data <text>", "the data of the candidate's znode")
    .option("--once", "exit after the first term")
    .action((path: string, command: string[], flags) => campaign(path, command, flags, shared()));

  const snapshot = program.command("snapshot").description("save the whole state to a file, and make a data directory of such a file");
  snapshot
    .command("save <file>")
    .description("save a snapshot of the whole state from the member that answers (admins); replaces the file once it is whole")
    .action((file: string) => saveSnapshot(file, shared()));
  snapshot
    .command("status <file>")
    .description("say what a snapshot holds")
    .action((file: string) => offline(() => showSnapshot(file, shared())));
  snapshot
    .command("verify <file>")
    .description("read a whole snapshot; exit code 1 where it was cut or altered")
    .action((file: string) => offline(() => showSnapshot(file, shared())));
  snapshot
    .command("restore <file>")
    .description("make a data directory of a snapshot: a new cluster with one member; sessions and ephemerals are left out")
    .requiredOption("--data <dir>", "the data directory, missing or empty")
    .option("--id <n>", "the member's id (default 1)")
    .action((file: string, flags: { data: string; id?: string }) => offline(() => restore(file, flags, shared())));
  program
    .command("recover")
    .description("after the loss of a majority: let one member go on alone, as a new cluster, with what its data directory holds")
    .requiredOption("--data <dir>", "its data directory; no hub runs on it")
    .requiredOption("--alone", "the other members are lost")
    .action((flags: { data: string; alone: true }) => offline(() => recover(flags, shared())));
  program
    .command("verify <dir>")
    .description("read a data directory as a start would, without changing it; exit code 1 where it can't be believed")
    .action((directory: string) => offline(() => verify(directory, shared())));
  program
    .command("log <dir>")
    .description("print the entries of a data directory's log as JSON, one a line")
    .action((directory: string) => offline(() => printLog(directory)));

  const quota = program.command("quota").description("limit the znodes and bytes of a subtree");
  quota
    .command("list")
    .description("list the quotas and their usage")
    .action(() => listQuotas(shared()));
  quota
    .command("set <path>")
    .description("limit a subtree: hard limits refuse, soft limits only warn")
    .option("--count <n>", "znodes, the path itself included", integer)
    .option("--bytes <n>", "bytes of data", integer)
    .option("--soft-count <n>", "warn above N znodes", integer)
    .option("--soft-bytes <n>", "warn above N bytes", integer)
    .action((path: string, flags: QuotaFlags) => setQuota(path, flags, shared()));
  quota
    .command("remove <path>")
    .description("remove a quota")
    .action((path: string) => removeQuota(path, shared()));

  const member = program.command("member").description("list, add and remove members of the ensemble");
  member
    .command("list")
    .description("list the members, their roles and their zxids")
    .action(() => listMembers(shared()));
  member
    .command("add <id>")
    .description("add a member, or change its role or address")
    .requiredOption("--peer <host:port>", "the address for its peers")
    .option("--client-url <url>", "the URL for its clients; by default the one that it advertises")
    .option("--observer", "it replicates and serves reads, but does not vote")
    .option("--hub-peer <host:port>", "where a single hub should listen for peers (default: its port + 100)")
    .action((id: string, flags: AddFlags) => addMember(id, flags, shared()));
  member
    .command("remove <id>")
    .description("remove a member")
    .action((id: string) => removeMember(id, shared()));

  const time = program
    .command("time")
    .description("show the state's time and its offset from the clock of the member that answers")
    .action(() => showTime(shared()));
  time
    .command("step")
    .description("move the state's time ahead to that member's clock: TTLs that have passed by then expire")
    .action(() => stepTime(shared()));

  try {
    await program.parseAsync(argv);
  } catch (error) {
    if (isCommanderError(error)) {
      process.exitCode = error.exitCode === 0 ? exitCode.done : exitCode.usage;
      return;
    }
    const { code, message } = explain(error, shared().url);
    note(`copse: ${message}`);
    process.exitCode = code;
  }
}

function isCommanderError(error: unknown): error is { readonly exitCode: number } {
  return typeof error === "object" && error !== null && String((error as { code?: unknown }).code).startsWith("commander.");
}
