/** The commands for operators: access, members, sessions, locks, quotas, time, snapshots and data directories. */
import { type Command, Option } from "commander";
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
import {
  type AddFlags,
  addMember,
  changeRole,
  compareMembers,
  drain,
  handOver,
  listMembers,
  removeMember,
  showMembers,
} from "./commands/members.ts";
import { measure, type PerfFlags } from "./commands/perf.ts";
import { listQuotas, type QuotaFlags, removeQuota, setQuota } from "./commands/quotas.ts";
import { killSession, listLocks, listSessions, unlock } from "./commands/sessions.ts";
import { offline, printLog, recover, restore, saveSnapshot, showSnapshot, verify } from "./commands/snapshot.ts";
import { showTime, stepTime } from "./commands/time.ts";
import { UsageError } from "./exit-code.ts";
import { collect, integer } from "./flags.ts";
import type { Shared } from "./terminal.ts";

/** How `--token` is read after `unlock`, where it is no credential. */
export const heldToken = "--held-token";

/** @param shared gives what all commands share, once the flags are read */
export function addOperatorCommands(program: Command, shared: () => Shared): void {
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

  const member = program.command("member").description("see and change the members of the ensemble");
  member
    .command("list")
    .description("list the members, their roles and their zxids")
    .action(() => listMembers(shared()));
  member
    .command("add <id>")
    .description("add a member, or change its role or address")
    .requiredOption("--peer <host:port>", "the address for its peers")
    .addOption(new Option("--client-url <url>", "ignored: a member announces its own URL (serve --advertise)").hideHelp())
    .option("--observer", "it replicates and serves reads, but does not vote")
    .option("--hub-peer <host:port>", "where a single hub should listen for peers (default: its port + 100)")
    .action((id: string, flags: AddFlags) => addMember(id, flags, shared()));
  member
    .command("remove <id>")
    .description("remove a member")
    .action((id: string) => removeMember(id, shared()));

  member
    .command("promote <id>")
    .description("make an observer a voter")
    .action((id: string) => changeRole(id, "voter", shared()));
  member
    .command("demote <id>")
    .description("make a voter an observer")
    .action((id: string) => changeRole(id, "observer", shared()));
  member
    .command("hand-over [id]")
    .description("transfer leadership to the named member, or to the most up-to-date follower")
    .action((id: string | undefined) => handOver(id, shared()));
  member
    .command("status")
    .description("ask each member for its own figures (admins)")
    .action(() => showMembers(shared()));
  program
    .command("drain <id>")
    .description("take a member out of traffic: it does not lead, and its clients go elsewhere; it goes on voting (admins)")
    .option("--off", "let it take clients again")
    .action((id: string, flags: { off?: boolean }) => drain(id, flags.off === true, shared()));
  program
    .command("hash")
    .description("compare the trees of all members at one zxid; exit code 1 where they differ (admins)")
    .action(() => compareMembers(shared()));
  program
    .command("perf")
    .description("load the hub for a few seconds and measure how fast it answers this machine; creates two znodes at /")
    .option("--seconds <n>", "how long", integer, 6)
    .option("--outstanding <n>", "requests at once", integer, 100)
    .option("--bytes <n>", "data of each znode", integer, 100)
    .action((flags: PerfFlags) => measure(flags, shared()));

  const session = program.command("session").description("list and end sessions (admins)");
  session
    .command("list")
    .description("list all sessions: their identities, ephemerals and, on the member that answers, connections")
    .action(() => listSessions(shared()));
  session
    .command("kill <id>")
    // An id may begin with a dash.
    .allowUnknownOption()
    .description("end a session as if its timeout had passed: its ephemerals go, its client is told")
    .action((id: string) => killSession(id, shared()));
  program
    .command("locks [path]")
    .description("list who holds and who waits for locks, elections and leases, below a path or everywhere (admins)")
    .action((path: string | undefined) => listLocks(path ?? "/", shared()));
  program
    .command("unlock <path>")
    .description("break a lock: delete the holder's znode; the holder is told, and the next in line gets the lock")
    .usage("<path> --token <n>")
    .addOption(new Option(`${heldToken} <n>`).argParser(integer).hideHelp())
    .addHelpText(
      "after",
      "\n--token is the holder's token, as copse locks shows it: another holder keeps the lock. COPSE_TOKEN and --token-file prove a token.",
    )
    .action((path: string, { heldToken: token }: { heldToken?: number }) => {
      if (token === undefined) throw new UsageError("--token is missing: copse locks shows the holder's");
      return unlock(path, token, shared());
    });

  const time = program
    .command("time")
    .description("show the state's time and its offset from the clock of the member that answers")
    .action(() => showTime(shared()));
  time
    .command("step")
    .description("move the state's time ahead to that member's clock: TTLs that have passed by then expire")
    .action(() => stepTime(shared()));
}
