/** `pnpm bench`: builds, then measures; see test/bench/run.js for its flags. */
import { prepare } from "./bootstrap.js";

prepare();
await import("../../../test/bench/run.js");
