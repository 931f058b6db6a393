/** Texts for agents lie under skills/ as Markdown; the bundler puts them into the program (scripts/build.mjs). */
declare module '*.md' {
  const text: string
  export default text
}
