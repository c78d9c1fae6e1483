import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  // The page may stand below a prefix of a proxy.
  base: "./",
  build: {
    outDir: "../cli/dist/inspector",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // The page's policy allows no data: scripts or styles, so nothing is inlined.
    assetsInlineLimit: 0,
  },
});
