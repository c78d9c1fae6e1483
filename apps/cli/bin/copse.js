#!/usr/bin/env node
/** The one executable. Everything it does is in ../src, built into ../dist. */
import { main } from "../dist/main.js";

await main(process.argv);
