/** `npm start`: everything from a fresh clone to a hub with a page. Further arguments go to `copse serve`. */
import { join } from "node:path";
import { prepare, root } from "./bootstrap.js";

prepare();
const { main } = await import("../dist/main.js");
const given = process.argv.slice(2);
const data = given.includes("--data") ? [] : ["--data", join(root, ".copse")];
await main([process.execPath, "copse", "serve", "--welcome", ...data, ...given]);
