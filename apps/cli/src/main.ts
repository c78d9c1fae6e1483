/**
 * The command line: names, flags and help; each subcommand's work is in a file of its own.
 */
import { isCopseError } from "@copse/client";
import { version } from "@copse/server";
import { Command, Option } from "commander";
import { getAcl, type SetAclFlags, setAcl } from "./commands/acls.ts";
import { campaign, holdLock } from "./commands/holding.ts";
import { checkConfig, type ServeFlags, serve, serveEdge } from "./commands/serve.ts";
import { exportTree, importTree } from "./commands/transfer.ts";
import { create, get, list, remove, set, stat, tree, watch } from "./commands/znodes.ts";
import { printCompletion } from "./completion.ts";
import { exitCode, exitCodeHelp, explain } from "./exit-code.ts";
import { collect, integer } from "./flags.ts";
import { addOperatorCommands, heldToken } from "./operator-commands.ts";
import { printPasswordHash } from "./password.ts";
import { configSchema, flagOf, type Setting, settings } from "./settings.ts";
import { note, print, type Shared } from "./terminal.ts";

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
    .addHelpText("after", `\ncopse --version prints ${version}.\n${exitCodeHelp}`)
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

  const flagsOf = (kind: "member" | "edge", command: Command): Command => {
    for (const setting of settings) if (setting.value !== null && (setting.isOf ?? kind) === kind) command.addOption(optionOf(setting));
    return command.option("--config <file>", "settings as JSON, by the names of these flags");
  };
  flagsOf("member", program.command("serve").description("serve one member"))
    .addOption(new Option("--welcome").hideHelp())
    .action((flags: ServeFlags) => serve(flags));
  flagsOf(
    "edge",
    program.command("edge").description("serve clients from a copy that follows a member, or another edge; no vote, no disk"),
  ).action((flags: ServeFlags) => serveEdge(flags));

  program
    .command("check-config <file>")
    .description("read a file for --config as serve would, and say what is wrong with it; exit code 2 where something is")
    .action((file: string) => checkConfig(file));
  program
    .command("config-schema")
    .description("print the JSON schema of a file for --config")
    .action(() => print(JSON.stringify(configSchema(), null, 2)));
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
    .option("--replace", "make the subtree what the file says, in one txn, or change nothing; what is not in the file goes")
    .option("--dry-run", "with --replace: print what would be created (+), changed (~) and deleted (-)")
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

  addOperatorCommands(program, shared);
  program
    .command("completion <shell>")
    .description("print a completion script for bash, zsh or fish")
    .action((shell: string) => printCompletion(program, shell));

  // As an option of the program it would be taken from the commands that have one of that name.
  if (argv.length === 3 && argv[2] === "--version") return print(version);
  // Whoever reads what is printed may stop reading.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(exitCode.done);
  });
  try {
    await program.parseAsync(withHeldToken(argv));
  } catch (error) {
    if (isCommanderError(error)) {
      process.exitCode = error.exitCode === 0 ? exitCode.done : exitCode.usage;
      return;
    }
    const { code, message } = explain(error, shared().url);
    note(shared().output === "json" ? JSON.stringify({ error: { ...named(error), message } }) : `copse: ${message}`);
    process.exitCode = code;
  }
}

/** A setting as a flag. */
function optionOf(setting: Setting): Option {
  const { words, kind, choices, default: given } = setting;
  const option = new Option(flagOf(setting), given === "" ? words : `${words} (default: ${given})`);
  if (kind === "texts") return option.argParser(collect);
  if (kind === "number") return option.argParser(integer);
  return choices === undefined ? option : option.choices(choices);
}

/** After `unlock`, --token is what a lock's holder has, and no credential. */
function withHeldToken(argv: readonly string[]): readonly string[] {
  const at = argv.indexOf("unlock");
  return at < 0 ? argv : argv.map((word, index) => (index > at ? word.replace(/^--token(?==|$)/, heldToken) : word));
}

/** What a script may want to know of an error of the protocol. */
function named(error: unknown): { readonly code?: string; readonly path?: string } {
  if (!isCopseError(error)) return {};
  return error.path === undefined ? { code: error.code } : { code: error.code, path: error.path };
}

function isCommanderError(error: unknown): error is { readonly exitCode: number } {
  return typeof error === "object" && error !== null && String((error as { code?: unknown }).code).startsWith("commander.");
}
