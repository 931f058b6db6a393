import { playDemo } from '../../../demo/play.ts'
import type { Context } from '../../terminal/context.ts'

export interface DemoOptions {
  keep?: boolean
}

export async function runDemo(context: Context, options: DemoOptions): Promise<void> {
  await playDemo(context, context.io, { keep: options.keep === true })
}
