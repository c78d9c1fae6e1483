/** Styles as text, as Vite gives them. */
declare module "*.css?inline" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: that is how Vite gives it
  export default text;
}
