/** The guide's shape: what stands in its sidebar, in reading order. */
import { defineConfig } from "vitepress";

const recipes: readonly (readonly [string, string])[] = [
  ["lock", "Lock"],
  ["read-write-lock", "Read-write lock"],
  ["semaphore", "Semaphore"],
  ["multi-lock", "Several locks"],
  ["election", "Election"],
  ["barrier", "Barrier"],
  ["double-barrier", "Double barrier"],
  ["group", "Group membership"],
  ["service", "Services"],
  ["presence", "Presence"],
  ["counter", "Counter"],
  ["work-queue", "Work queue"],
  ["tree-cache", "Cached tree"],
  ["persistent-ephemeral", "Kept ephemeral"],
];

const decisions: readonly (readonly [string, string])[] = [
  ["order", "One order"],
  ["exactly-once", "Exactly once"],
  ["membership", "Membership"],
  ["wire", "The wire"],
  ["readers", "Readers of one moment"],
  ["budgets", "Budgets"],
  ["strangers", "Strangers"],
  ["clocks", "Clocks"],
  ["access", "Access"],
  ["disk", "The disk"],
  ["client", "The client"],
  ["formats", "Formats"],
];

// VitePress reads its settings from the default export.
// biome-ignore lint/style/noDefaultExport: the tool asks for one
export default defineConfig({
  title: "copse",
  description: "Coordination for the web",
  cleanUrls: true,
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: [
      {
        text: "Begin",
        items: [
          { text: "Start in 60 seconds", link: "/start" },
          { text: "Znodes and the tree", link: "/concepts/tree" },
          { text: "Sessions and time", link: "/concepts/sessions" },
          { text: "Reading and following", link: "/concepts/watches" },
          { text: "The client", link: "/client" },
          { text: "What is promised", link: "/concepts/guarantees" },
          { text: "Fencing", link: "/concepts/fencing" },
        ],
      },
      {
        text: "Recipes",
        items: [{ text: "Which one?", link: "/recipes/" }, ...recipes.map(([name, text]) => ({ text, link: `/recipes/${name}` }))],
      },
      {
        text: "In your application",
        items: [
          { text: "Letting browsers in", link: "/browsers" },
          { text: "In a framework", link: "/frameworks" },
          { text: "Tests of your own", link: "/testing" },
        ],
      },
      {
        text: "Running it",
        items: [
          { text: "Operating", link: "/operating" },
          { text: "Deploying", link: "/operating/deploying" },
          { text: "Configuration", link: "/operating/configuration" },
          { text: "Members", link: "/operating/members" },
          { text: "Edges", link: "/operating/edges" },
          { text: "Metrics and alerts", link: "/operating/metrics" },
          { text: "Runbooks", link: "/operating/runbooks" },
          { text: "Backup and disaster", link: "/operating/backup" },
          { text: "Upgrading", link: "/operating/upgrading" },
          { text: "Troubleshooting", link: "/operating/troubleshooting" },
          { text: "Capacity", link: "/capacity" },
        ],
      },
      {
        text: "Reference",
        items: [
          { text: "API, from the types", link: "/reference/" },
          { text: "Protocol", link: "/protocol" },
          { text: "Errors", link: "/errors" },
          { text: "Beside other clients", link: "/comparison" },
        ],
      },
      {
        text: "Decisions",
        items: [{ text: "All of them", link: "/decisions/" }, ...decisions.map(([name, text]) => ({ text, link: `/decisions/${name}` }))],
      },
      {
        text: "Coming from",
        items: [
          { text: "ZooKeeper", link: "/from/zookeeper" },
          { text: "etcd", link: "/from/etcd" },
          { text: "Firebase", link: "/from/firebase" },
        ],
      },
    ],
  },
});
