import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node'

/**
 * Ends a run with one line for whoever reads only the last one: `N passed, N failed`, and `, N skipped` when some were.
 * A file that cannot be loaded, a hook that fails outside of any test and an unhandled error count as one failure each.
 */
export class SummaryReporter implements Reporter {
  private print: (line: string) => void = () => {}

  onInit(vitest: Vitest): void {
    this.print = (line) => vitest.logger.log(line)
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[], reason: TestRunEndReason): void {
    let passed = 0
    let failed = unhandledErrors.length
    let skipped = 0
    for (const module of modules) {
      const tests = [...module.children.allTests()].map((test) => test.result().state)
      const broken = tests.filter((state) => state === 'failed').length
      passed += tests.filter((state) => state === 'passed').length
      // Pending ones were never reached: the run was interrupted.
      skipped += tests.filter((state) => state === 'skipped' || state === 'pending').length
      const blocks = [module, ...module.children.allSuites()].filter((block) => block.errors().length > 0).length
      failed += module.ok() ? 0 : Math.max(broken + blocks, 1)
    }
    // Interrupted, or no test found: never to be read as success.
    if (reason !== 'passed') failed = Math.max(failed, 1)
    this.print(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  }
}
