/** Ways in which an edge, or whoever feeds it, can be wrong. Every eighth seed from 2 on has edges. */
const edges = "packages/replica/src/edges";

export const edgeMutations = [
  {
    name: "E1",
    what: "an edge takes entries over a gap",
    seed: 2,
    patches: [{ file: `${edges}/order-edge.ts`, from: "entry.index !== this.#given + 1", to: "entry.index <= this.#given" }],
  },
  {
    name: "E2",
    what: "what was lost on the way to an edge is not sent again",
    seed: 2,
    patches: [{ file: `${edges}/feed.ts`, from: "this.#sent = this.#match!;\n    }", to: "}" }],
  },
  {
    name: "E3",
    what: "an edge confirms a barrier before it has the entries that go with it",
    seed: 26,
    patches: [{ file: `${edges}/feeder.ts`, from: "index: this.#options.newest() });", to: "index: 0 });" }],
  },
  {
    name: "E4",
    what: "the sessions that live on an edge are not counted",
    seed: 2,
    patches: [{ file: `${edges}/order-edge.ts`, from: "touched: question.touched });", to: "touched: [] });" }],
  },
];
