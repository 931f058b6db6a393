/** The fault points: what kugetsu does, in steps at which it can be killed. Each step belongs to one of them. */
export const points: Record<string, RegExp> = {
  'lock file': /^(write|create|clear|delete) locks\/<lock>$/,
  'slot reserved': /^(make slots|(write|create|clear) slots\/<slot>\.slot)$/,
  'slot admitted': /^(write|create|clear) slots\/<slot>\.held$/,
  'slot handed over': /^(write|create|clear) slots\/<slot>\.run$/,
  'slot given back': /^delete slots\/<slot>\.(slot|held|run)$/,
  'session written': /^(write|put) sessions\/<issue>\.json$/,
  'session forgotten': /^delete sessions\/<issue>\.json$/,
  'index written': /^(write|put) index\.json$/,
  'mirror cloned':
    /^((make|move|clear) <mirror> \(temporary\).*|make repos|run git (clone|config|for-each-ref|update-ref))$/,
  'mirror fetched': /^(put locks\/<lock>|run git (fetch|repack))$/,
  'worktree registered':
    /^((make|create|put|clear) (<mirror>\/added \(temporary\)|worktrees\/<issue> \(temporary\)\/).*|make worktrees\/<issue> \(temporary\)|put worktrees\/<issue>|(make|put) <mirror>\/worktrees(\/<issue>)?|run git worktree add)$/,
  'worktree checked out': /^(run git reset|delete <mirror>\/worktrees\/<issue>\/locked)$/,
  'work looked at':
    /^run git (rev-parse|symbolic-ref|status|ls-files|log|rev-list|merge-base|diff-index|diff-tree|count-objects)$/,
  'work saved':
    /^((make|create|write|append to|put|clear|delete|move away) <mirror>\.(plain|saved)( \(temporary\))?(\/.*)?|run git (init|write-tree|add|commit-tree|bundle))$/,
  'work restored': /^(run git (read-tree|checkout-index)|(write|put) <mirror>\/worktrees\/<issue>\/logs\/HEAD)$/,
  'worktree moved away': /^move away worktrees\/<issue>$/,
  'worktree entry dropped': /^(move away|delete|clear) <mirror>\/(worktrees|dropped-)\/?<issue>(?!\/locked).*$/,
  'worktree deleted': /^clear worktrees\/<issue> \(temporary\)$/,
  'branch deleted': /^run git branch$/,
  // The requests of opencode 1, and those of opencode 2, which makes a session where it is to work.
  'worktree closed': /^(POST \/instance\/dispose|DELETE \/api\/debug\/location)$/,
  'session forked': /^POST (\/session\/<session>\/fork|\/api\/session)$/,
  'session moved':
    /^(UPDATE session|PATCH \/session\/<session>|PATCH \/api\/session\/<session>|POST \/api\/session\/<session>\/(move|agent|model)|PUT \/api\/experimental\/session\/<session>\/instructions\/entries\/kugetsu)$/,
  'prompt sent': /^POST (\/session\/<session>\/prompt_async|\/api\/session\/<session>\/prompt)$/,
  'agent stopped': /^POST (\/session\/<session>\/abort|\/api\/session\/<session>\/interrupt)$/,
  'session deleted': /^DELETE (\/api)?\/session\/<session>$/,
  'server prepared':
    /^((write|put) opencode\/(environment\.js|plugin\/(environment|index)\.js|bin\/kugetsu|models\.json)|make opencode\/plugin|(UPDATE|INSERT INTO|DELETE FROM) credential|append to logs\/opencode-server\.log)$/,
  'models chosen': /^((write|put) opencode\/(all-models|providers)\.json|delete opencode\/providers\.json)$/,
  'server started': /^run opencode (--version|serve)$/,
  'server on file': /^(write|put|delete) opencode\/(server|booting)\.json$/,
  'task numbered': /^(make queue\/numbers|(create|delete) queue\/numbers\/<number>)$/,
  'task queued': /^(make queue\/items|(create|clear) queue\/items\/<item>\.json)$/,
  'task changed': /^(write|put) queue\/items\/<item>\.json$/,
  'end kept': /^(make queue\/ended|(write|put) queue\/ended\/<item>\.json)$/,
  'end noted': /^delete queue\/ended\/<item>\.json$/,
  'daemon started': /^(make queue|append to queue\/daemon\.log|run the daemon)$/,
  'daemon on file': /^(write|put|delete) queue\/(daemon\.pid|dispatching)$/,
  'conversation remembered': /^(make context|(write|put|delete) context\/<issue>\.json)$/,
  'notification written': /^append to activity\.jsonl$/,
  'transcript written': /^(append to|delete) logs\/\.?dev-<session>\.(log|written)$/,
  'decision noted': /^append to journal\.jsonl$/,
}

/** The points that are on the way of that kind of opencode. */
export function pointsFor(kind: 'opencode' | 'opencode2'): string[] {
  return Object.keys(points).filter((name) => kind === 'opencode' || name !== 'models chosen')
}

/** The names of the points that a step belongs to. */
export function pointsOf(step: string): string[] {
  return Object.entries(points).flatMap(([name, pattern]) => (pattern.test(step) ? [name] : []))
}
