/** Texts for agents lie under skills/ as Markdown; the bundler puts them into the program (rolldown.config.mjs). */
declare module '*.md' {
  const text: string
  export default text
}
