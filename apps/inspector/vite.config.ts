import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  build: {
    outDir: "../cli/dist/inspector",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    // The page's policy allows no data: scripts or styles, so nothing is inlined.
    assetsInlineLimit: 0,
  },
});
