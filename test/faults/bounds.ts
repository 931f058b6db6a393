/** How much of a fault suite to run: a part that is the same every time, or with KUGETSU_FAULTS more of it. */

/** 1 in `npm test`; `npm run test:faults -- 10` makes it ten times as much. */
export const factor = Number(process.env['KUGETSU_FAULTS'] ?? 1)
export const seed = Number(process.env['KUGETSU_FAULTS_SEED'] ?? 20_260_501)
