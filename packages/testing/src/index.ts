/** What a user's test needs. The parts below it are in `@copse/testing/simulation`. */
export { type TestClientOptions, TestEnsemble, type TestEnsembleOptions, testEnsemble } from "./test-ensemble.ts";
