import { defineConfig } from "vite";

export default defineConfig({
  root: `${import.meta.dirname}/page`,
  build: { outDir: "../dist/page", emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false } },
});
