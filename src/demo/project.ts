/** The little project that the demo's agents work on: two bugs, and a test that shows each. */

export const projectFiles: Record<string, string> = {
  'README.md': `# Tea shop

What a table of guests has to pay, in cents. Each file has a test: \`node bill.test.js\`.
`,
  'package.json': '{ "name": "tea-shop", "private": true }\n',
  'bill.js': `/** What the cups on a table cost together. Prices are as the menu has them: text. */
module.exports = function total(prices) {
  return prices.reduce((sum, price) => sum + price)
}
`,
  'bill.test.js': `const total = require('./bill.js')

const got = total(['250', '300'])
console.log(got === 550 ? 'ok: two cups cost 550' : \`FAILED: two cups cost \${got}, not 550\`)
process.exitCode = got === 550 ? 0 : 1
`,
  'split.js': `/** What each guest pays of a bill. */
module.exports = function share(cents, guests) {
  return cents / guests
}
`,
  'split.test.js': `const share = require('./split.js')

const got = share(0, 0)
console.log(got === 0 ? 'ok: nobody pays nothing' : \`FAILED: without guests each pays \${got}, not 0\`)
process.exitCode = got === 0 ? 0 : 1
`,
}
