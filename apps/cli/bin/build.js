/** `pnpm build`: installs and builds, nothing else. */
import { prepare } from "./bootstrap.js";

prepare();
