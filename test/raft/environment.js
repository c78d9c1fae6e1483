/**
 * A cluster of bare cores, driven step by step by the directives of an interaction script. Storage is what the cores hold;
 * a snapshot is what a member has applied.
 */
import { emptyStart, MembershipError, Raft } from "@copse/raft";
import { describeAllProgress, describeEntry, describeMessage, describeReady, messageName, roleNames } from "./describe.js";

const unlimited = Number.POSITIVE_INFINITY;

export class Environment {
  #members = [];
  #messages = [];
  #output = [];
  #isQuiet = false;
  #indent = "";

  /** Runs one directive: its name, its arguments, its input lines. Gives what it prints. */
  run({ name, args, input }) {
    this.#output = [];
    const wasQuiet = this.#isQuiet;
    try {
      this.#direct(name, args, input);
    } catch (error) {
      if (!(error instanceof ScriptError) && !(error instanceof MembershipError)) throw error;
      this.#output.push(error.message);
      if (this.#isQuiet) return error.message;
    }
    if (name !== "log-level") this.#isQuiet = wasQuiet;
    return this.#output.length === 0 ? "ok" : this.#output.join("\n");
  }

  #print(text) {
    if (this.#isQuiet) return;
    for (const line of text.split("\n")) this.#output.push(this.#indent + line);
  }

  #indented(work) {
    this.#indent += "  ";
    work();
    this.#indent = this.#indent.slice(2);
  }

  #direct(name, args, input) {
    const first = args.find(({ values }) => values === null)?.key;
    const member = () => {
      const found = this.#members[Number(first) - 1];
      if (found === undefined) throw new ScriptError(`no member ${first}`);
      return found;
    };
    switch (name) {
      case "log-level":
        this.#isQuiet = first === "none";
        return;
      case "add-nodes":
        return this.#addNodes(Number(first), args);
      case "campaign":
        return member().raft.campaign();
      case "propose": {
        const payload = args.filter(({ values }) => values === null)[1]?.key ?? "";
        return this.#orDropped(member().raft.propose(payload));
      }
      case "propose-conf-change":
        return this.#proposeChange(member(), args, input);
      case "process-ready":
        return this.#processReady(member());
      case "deliver-msgs":
        return this.#deliverDirective(args);
      case "stabilize":
        return this.#stabilizeDirective(args);
      case "tick-heartbeat":
        return times(member().options.heartbeatTicks, () => member().raft.tick());
      case "tick-election":
        return times(member().options.electionTicks, () => member().raft.tick());
      case "set-randomized-election-timeout":
        return member().raft.setElectionTimeout(Number(oneOf(args, "timeout")));
      case "forget-leader":
        return member().raft.forgetLeader();
      case "transfer-leadership":
        return this.#members[Number(oneOf(args, "from")) - 1].raft.transferLeadership(Number(oneOf(args, "to")));
      case "report-unreachable":
        return member().raft.reportUnreachable(Number(args[1].key));
      case "send-snapshot":
        return this.#sendSnapshot(member(), Number(args[1].key));
      case "compact":
        member().raft.log.compact(Number(args[1].key));
        return this.#printLog(member());
      case "raft-log":
        return this.#printLog(member());
      case "raft-state":
        return this.#printStates();
      case "status":
        return this.#print(describeAllProgress(member().raft.members));
      default:
        throw new Error(`unknown directive ${name}`);
    }
  }

  #addNodes(count, args) {
    const numbers = (key) => (args.find((arg) => arg.key === key)?.values ?? []).map(Number);
    const index = Number(oneOf(args, "index") ?? 0);
    const configuration = { ...emptyStart.configuration, voters: numbers("voters"), learners: numbers("learners") };
    for (let added = 0; added < count; added++) {
      const id = this.#members.length + 1;
      const base = index > 0 ? { index, term: 1 } : emptyStart.base;
      const member = { id, snapshot: { ...base, configuration } };
      const options = {
        id,
        electionTicks: 3,
        heartbeatTicks: 1,
        appendBytesMax: unlimited,
        applyBytesMax: limit(oneOf(args, "max-committed-size-per-ready")),
        uncommittedBytesMax: unlimited,
        window: { countMax: limit(oneOf(args, "inflight")), bytesMax: 0 },
        checksQuorum: oneOf(args, "checkquorum") === "true",
        preVotes: oneOf(args, "prevote") === "true",
        reads: oneOf(args, "read-only") === "lease-based" ? "lease" : "safe",
        stepsDownOnRemoval: oneOf(args, "step-down-on-removal") === "true",
        skipsChangeValidation: oneOf(args, "disable-conf-change-validation") === "true",
        random: (below) => Math.floor(Math.random() * below),
        snapshot: () => member.snapshot,
      };
      member.options = options;
      member.raft = new Raft(options, { hardState: { term: 0, vote: 0, commit: base.index }, base, configuration, entries: [] });
      this.#members.push(member);
    }
  }

  #orDropped(result) {
    if (result === "dropped") throw new ScriptError("raft proposal dropped");
  }

  #proposeChange({ raft }, args, input) {
    const kinds = { v: "add-voter", l: "add-learner", r: "remove", u: "update" };
    const changes = parseChanges(input).map(({ letter, member }) => ({ kind: kinds[letter], member }));
    this.#orDropped(raft.proposeChange({ transition: oneOf(args, "transition") ?? "auto", changes }, oneOf(args, "v1") === "true"));
  }

  #processReady(member) {
    const { raft } = member;
    const ready = raft.ready();
    this.#print(describeReady(ready));
    if (ready.snapshot !== null) member.snapshot = ready.snapshot;
    for (const entry of ready.committed) {
      const configuration = entry.change === null ? member.snapshot.configuration : raft.applyChange(entry.change);
      member.snapshot = { index: entry.index, term: entry.term, configuration };
    }
    this.#messages.push(...ready.messages, ...ready.messagesAfterStore);
    raft.advance();
  }

  #takeMessages(to, kind, isDropped) {
    const taken = this.#messages.filter((message) => message.to === to && (kind === undefined || messageName(message.kind) === kind));
    this.#messages = this.#messages.filter((message) => !taken.includes(message));
    for (const message of taken) {
      this.#print((isDropped ? "dropped: " : "") + describeMessage(message));
      if (isDropped) continue;
      const result = this.#members[to - 1].raft.step(message);
      if (result === "dropped") this.#print("raft proposal dropped");
      if (result === "unknown") this.#print("raft: cannot step as peer not found");
    }
    return taken.length;
  }

  #deliverDirective(args) {
    const kind = oneOf(args, "type");
    let delivered = 0;
    for (const { key, values } of args) {
      if (key === "drop") for (const to of values) delivered += this.#takeMessages(Number(to), kind, true);
      else if (values === null) delivered += this.#takeMessages(Number(key), kind, false);
    }
    if (delivered === 0) this.#print("no messages");
  }

  #stabilizeDirective(args) {
    const named = args.filter(({ values }) => values === null).map(({ key }) => this.#members[Number(key) - 1]);
    const level = oneOf(args, "log-level");
    if (level !== undefined) this.#isQuiet = level === "none";
    const members = named.length > 0 ? named : this.#members;
    for (let isDone = false; !isDone; ) {
      isDone = true;
      for (const member of members) {
        if (!member.raft.hasReady) continue;
        this.#print(`> ${member.id} handling Ready`);
        this.#indented(() => this.#processReady(member));
        isDone = false;
      }
      for (const { id } of members) {
        if (!this.#messages.some(({ to }) => to === id)) continue;
        this.#print(`> ${id} receiving messages`);
        this.#indented(() => this.#takeMessages(id, undefined, false));
        isDone = false;
      }
    }
  }

  #sendSnapshot({ id, raft, snapshot }, to) {
    const blank = { index: 0, logTerm: 0, entries: [], proposals: [], commit: 0, isRejected: false, hint: 0, context: "" };
    const message = { ...blank, kind: "snapshot", from: id, to, term: raft.term, snapshot };
    this.#messages.push(message);
    this.#print(describeMessage(message));
  }

  #printLog({ raft: { log } }) {
    if (log.lastIndex < log.firstIndex) this.#print(`log is empty: first index=${log.firstIndex}, last index=${log.lastIndex}`);
    else this.#print(log.slice(log.firstIndex).map(describeEntry).join("\n"));
  }

  #printStates() {
    for (const { id, raft } of this.#members) {
      const { voters } = raft.members;
      const isVoter = voters[0].has(id) || voters[1].has(id);
      this.#print(`${id}: ${roleNames[raft.role]} (${isVoter ? "Voter" : "Non-Voter"}) Term:${raft.term} Lead:${raft.lead}`);
    }
  }
}

/** What a directive answers where it is refused. */
class ScriptError extends Error {}

export function oneOf(args, key) {
  return args.find((arg) => arg.key === key)?.values?.[0];
}

/** `v1 l2 r3 u4`, over any number of lines. */
export function parseChanges(input) {
  return input
    .join(" ")
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => ({ letter: word[0], member: Number(word.slice(1)) }));
}

function limit(text) {
  return text === undefined || text === "inf" ? unlimited : Number(text);
}

function times(count, work) {
  for (let left = count; left > 0; left--) work();
}
