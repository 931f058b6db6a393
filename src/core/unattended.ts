/** Variables that keep git and its helpers from opening an editor or pager, or from asking: no person could answer. */
export const unattended = {
  EDITOR: 'true',
  VISUAL: 'true',
  GIT_EDITOR: 'true',
  GIT_SEQUENCE_EDITOR: 'true',
  GIT_PAGER: 'cat',
  GIT_TERMINAL_PROMPT: '0',
}
