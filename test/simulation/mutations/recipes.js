/** Known ways for recipes to be wrong: the simulator's run of the recipes has to notice each of them. */
const recipes = "packages/recipes/src";
const client = "packages/client/src";

const list = [
  {
    name: "R1",
    what: "a waiter that wakes does not look who else is before it",
    patches: [
      {
        file: `${recipes}/waiting/place.ts`,
        from: "        await vanished(this.#copse, `",
        to: "        return vanished(this.#copse, `",
      },
    ],
  },
  {
    name: "R2",
    what: "a place that is given up is not deleted",
    patches: [
      {
        file: `${recipes}/waiting/place.ts`,
        from: "await removeOwn(this.#copse, this.guard, this.#session);",
        to: "",
      },
    ],
  },
  {
    name: "R3",
    what: "a reader does not wait for writers",
    patches: [
      { file: `${recipes}/read-write-lock.ts`, from: 'prefix: "read-", waitsFor: isWriter', to: 'prefix: "read-", waitsFor: () => false' },
    ],
  },
  {
    name: "R4",
    what: "leases of a semaphore are made without the turn",
    patches: [
      {
        file: `${recipes}/semaphore.ts`,
        from: "/queue`, { acl, signal });",
        to: "/queue/` + copse.clock.now(), { acl, signal });",
      },
    ],
  },
  {
    name: "R5",
    what: "the client expires itself too late",
    patches: [{ file: `${client}/session/liveness.ts`, from: "return (this.#timeoutMs * 2) / 3;", to: "return this.#timeoutMs * 2;" }],
  },
  {
    name: "R6",
    what: "who leaves a double barrier waits for nobody",
    patches: [
      {
        file: `${recipes}/double-barrier.ts`,
        from: "await vanished(copse, lowest, ended);",
        to: "return;",
      },
    ],
  },
  {
    name: "R7",
    what: "who is kept present is not made again in the next session",
    patches: [
      {
        file: `${recipes}/persistent-ephemeral.ts`,
        from: "if (!signal.aborted && !isPassing(error)) this.end(error);",
        to: "if (!signal.aborted && this.#czxid > 0) return;",
      },
    ],
  },
  {
    name: "R8",
    what: "a job is done without its lease",
    patches: [
      { file: `${recipes}/work-queue.ts`, from: "await copse.multi(ops, { guard });", to: "await copse.delete(job.path);" },
      {
        file: `${recipes}/work-queue.ts`,
        from: "await removeOwn(copse, guard, session);",
        to: "void session;",
      },
    ],
  },
];

/** @param {Record<string, number>} seeds one for each that caught it */
export const recipeMutations = (seeds) => list.map((mutation) => ({ ...mutation, runs: "runRecipes", seed: seeds[mutation.name] ?? null }));
