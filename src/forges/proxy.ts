/** Connections through a proxy. Reads the variables that curl, git and gh read, and understands them as they do. */
import * as http from 'node:http'
import * as https from 'node:https'
import * as net from 'node:net'
import * as tls from 'node:tls'
import { codeOf } from '../core/errors.ts'
import { Unclear } from './forge.ts'

export type Variables = Readonly<Record<string, string | undefined>>

/**
 * The proxy for requests to `url`: HTTPS_PROXY or ALL_PROXY, in upper or lower case, except for hosts in NO_PROXY;
 * undefined when the host is reached directly. Only https goes through a proxy: a host reached without encryption is
 * near. Throws Unclear when the proxy does not speak HTTP.
 */
export function proxyFor(url: URL, env: Variables): URL | undefined {
  const valueOf = (name: string) => env[name.toLowerCase()]?.trim() || env[name]?.trim() || ''
  const said = valueOf('HTTPS_PROXY') || valueOf('ALL_PROXY')
  if (url.protocol !== 'https:' || said === '' || isDirect(url, valueOf('NO_PROXY'))) return undefined
  const text = said.includes('://') ? said : `http://${said}`
  const proxy = URL.canParse(text) ? new URL(text) : undefined
  if (proxy?.protocol === 'http:' || proxy?.protocol === 'https:') return proxy
  // Do not show its value, which may have a password.
  throw new Unclear(`${url.host} is behind a proxy that is not http or https (HTTPS_PROXY, ALL_PROXY)`)
}

/** NO_PROXY lists hosts, each with all its subdomains; `*` is all hosts. An entry with a port is for that port only. */
function isDirect(url: URL, noProxy: string): boolean {
  const host = bare(url.hostname)
  return noProxy.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true
    const [, name = entry, port] = net.isIPv6(entry) ? [] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? [])
    const wanted = bare(name).replace(/^\*?\./, '')
    const isOfPort = port === undefined || port === portOf(url)
    return wanted !== '' && isOfPort && (host === wanted || host.endsWith(`.${wanted}`))
  })
}

/** A connection to `url` through the proxy, encrypted end to end. Throws Unclear, which names the proxy by its host. */
export async function tunnel(proxy: URL, url: URL, signal: AbortSignal): Promise<tls.TLSSocket> {
  const target = `${url.hostname}:${portOf(url)}`
  const login = [proxy.username, proxy.password].map(decodeURIComponent).join(':')
  const headers = {
    host: target,
    ...(login === ':' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(login).toString('base64')}` }),
  }
  const { request } = proxy.protocol === 'https:' ? https : http
  const options = { host: bare(proxy.hostname), port: proxy.port, method: 'CONNECT', path: target, headers, signal }
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, agent: false }, () => reject(new Unclear(`${proxy.host} is not a proxy`)))
    sent.on('connect', (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy()
        return reject(new Unclear(`the proxy ${proxy.host} ${refusal(response.statusCode)}`))
      }
      const host = bare(url.hostname)
      resolve(tls.connect({ socket, host, ...(net.isIP(host) === 0 ? { servername: host } : {}) }))
    })
    sent.on('error', (error) => {
      reject(
        signal.aborted
          ? error
          : new Unclear(`the proxy ${proxy.host} cannot be reached (${codeOf(error) ?? 'no answer'})`),
      )
    })
    sent.end()
  })
}

function refusal(status: number | undefined): string {
  return status === 407 ? 'needs a login (in HTTPS_PROXY)' : `answers with status ${status}`
}

function portOf(url: URL): string {
  return url.port || '443'
}

/** The host in lower case, without the brackets of an IPv6 address. */
function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '').toLowerCase()
}
