/** What git may be told to clone from. Git can run programs for some addresses, so only known forms are allowed. */
import { KugetsuError } from '../core/errors.ts'

const schemes = ['https:', 'http:', 'ssh:', 'git:', 'file:']
// git@host:path, which git reads as ssh.
const scpLike = /^([A-Za-z0-9_][A-Za-z0-9._-]*)@([A-Za-z0-9][A-Za-z0-9.-]*):(?!-)(.*)$/

/**
 * Returns the URL if git may use it: https, http, ssh, git or file, or `git@host:path`, without a password. Throws
 * KugetsuError `bad_url`; `what` names the URL in the message.
 */
export function checkRemoteUrl(text: string, what: string): string {
  const problem = problemOf(text)
  if (problem === undefined) return text
  throw new KugetsuError(`${what} ${problem.reason}`, { code: 'bad_url', hint: problem.hint ?? allowed })
}

/** The host of such a URL in lower case, with its port if it has one and without. Undefined when it has no host. */
export function hostOfUrl(text: string): { host: string; hostname: string } | undefined {
  const scp = text.includes('://') ? null : scpLike.exec(text)
  const host = (scp === null ? parsed(text)?.host : scp[2])?.toLowerCase()
  if (host === undefined || host === '') return undefined
  return { host, hostname: host.replace(/:\d+$/, '') }
}

/**
 * The address of a server's web pages, without a trailing slash, from the URL by which git reaches the server. A port of ssh
 * or git is not that of the pages, and the pages of such a server are on https. Undefined when the URL has no host.
 */
export function webUrlOf(text: string): string | undefined {
  const url = text.includes('://') ? parsed(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') {
    return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`
  }
  const hostname = hostOfUrl(text)?.hostname
  return hostname === undefined ? undefined : `https://${hostname}`
}

/** The URL without user and password, for people to see. */
export function withoutCredentials(text: string): string {
  return text.replace(/^(https?:\/\/)[^/?#]*@/i, '$1')
}

const allowed = 'Use an address such as https://forge.test, ssh://git@forge.test, git@forge.test: or file:///srv/git'

function problemOf(text: string): { reason: string; hint?: string } | undefined {
  if (text.length > 1000) return { reason: 'is too long' }
  if (!/^[^\s\p{C}\\"`<>^|]+$/u.test(text)) return { reason: 'is empty or has characters that no URL has' }
  if (text.startsWith('-')) return { reason: 'begins with a hyphen' }
  if (/^[A-Za-z0-9+.-]*::/.test(text)) return { reason: 'names a transport that can run programs' }
  if (/(^|[/:])\.\.?(\/|$)/.test(text) || /%(2e|2f|00)/i.test(text)) return { reason: 'has a path that goes up' }
  if (!text.includes('://')) {
    if (scpLike.test(text)) return undefined
    return {
      reason: 'is not a URL',
      ...(text.startsWith('/') ? { hint: `For a local directory: file://${text}` } : {}),
    }
  }
  const url = parsed(text)
  // Node's parser accepts a missing or a third slash; git does not.
  if (url === undefined || !/^(file:\/\/\/|(?!file:)[a-z]+:\/\/[^/])/i.test(text)) return { reason: 'is not a URL' }
  if (!schemes.includes(url.protocol)) return { reason: `uses ${url.protocol}//, which is not allowed` }
  if (/[?#]/.test(text)) return { reason: 'has a query or fragment' }
  const isHttp = url.protocol === 'https:' || url.protocol === 'http:'
  if (url.password !== '' || (isHttp && url.username !== '')) {
    return {
      reason: 'holds a user name or password',
      hint: 'Leave it out, and use a credential helper of git or an SSH key.',
    }
  }
  if (url.hostname.startsWith('-') || url.username.startsWith('-'))
    return { reason: 'has a host that begins with a hyphen' }
  return undefined
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}
