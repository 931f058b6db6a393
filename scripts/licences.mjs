// The licences of the packages that are part of what is handed out. All of them ask to be kept with the code.
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

/** Put between the texts of two packages. */
const rule = `\n${'-'.repeat(80)}\n\n`

/** The licences of the packages that these modules (paths of files) belong to, as one text. */
export function licencesOf(modules) {
  const packages = new Set(modules.flatMap((id) => /.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id) ?? []))
  return joined([...packages].sort().map(licenceOf))
}

export function joined(texts) {
  return texts.join(rule)
}

function licenceOf(directory) {
  const { name, version, license } = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8'))
  const file = readdirSync(directory).find((each) => /^licen[cs]e/i.test(each))
  const text = file === undefined ? 'Comes without its text.' : readFileSync(path.join(directory, file), 'utf8').trim()
  return `${name} ${version} (${license})\n\n${text}\n`
}
