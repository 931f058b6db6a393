/**
 * The completion script of each shell. They all ask `kugetsu __complete -- <words…>`, where the last word is the typed part
 * of the one to complete. The answer has one candidate a line, with a tab and a description after it.
 */
import { completeCommand } from '../define.ts'

/**
 * readline splits words at : and = too (COMP_WORDBREAKS) and replaces only the last piece. So the script joins pieces that
 * have no blanks between them, and removes from the candidates what comes before the last piece.
 */
const bash = `# bash completion of kugetsu: source <(kugetsu completion bash)
_kugetsu() {
  local rest=\${COMP_LINE:0:COMP_POINT} words=() piece trimmed line current kept i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    trimmed=\${rest#"\${rest%%[![:space:]]*}"}
    piece=\${COMP_WORDS[i]}
    if ((i == COMP_CWORD)); then piece=$trimmed; fi
    if [[ \${#words[@]} -eq 0 || $trimmed != "$rest" ]]; then
      words+=("$piece")
    else
      words[\${#words[@]}-1]+=$piece
    fi
    rest=\${trimmed#"$piece"}
  done
  current=\${words[\${#words[@]}-1]}
  current=\${current#[\\"\\']}
  words[\${#words[@]}-1]=$current
  kept=
  for ((i = 0; i < \${#current}; i++)); do
    case \${current:i:1} in
      [:=]) if [[ $COMP_WORDBREAKS == *"\${current:i:1}"* ]]; then kept=\${current:0:i+1}; fi ;;
    esac
  done
  COMPREPLY=()
  while IFS= read -r line; do
    line=\${line%%$'\\t'*}
    COMPREPLY+=("\${line#"$kept"}")
  done < <(kugetsu ${completeCommand} -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _kugetsu kugetsu
`

const zsh = `#compdef kugetsu
# zsh completion of kugetsu: source <(kugetsu completion zsh), or as _kugetsu in a directory of $fpath
_kugetsu() {
  local line value
  local -a values shown
  for line in "\${(@f)$(kugetsu ${completeCommand} -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}"; do
    value=\${line%%$'\\t'*}
    [[ -n $value ]] || continue
    values+=("$value")
    if [[ $line == *$'\\t'* ]]; then shown+=("$value  -- \${line#*$'\\t'}"); else shown+=("$value"); fi
  done
  (( \${#values} )) && compadd -l -d shown -a values
}
if [[ \${funcstack[1]} == _kugetsu ]]; then _kugetsu "$@"; else compdef _kugetsu kugetsu; fi
`

const fish = `# fish completion of kugetsu: kugetsu completion fish > ~/.config/fish/completions/kugetsu.fish
function __kugetsu_candidates
  set -l words (commandline -opc)
  set -e words[1]
  set -l current (commandline -ct)
  kugetsu ${completeCommand} -- $words "$current" 2>/dev/null
end
complete -c kugetsu -f -a '(__kugetsu_candidates)'
`

export const scripts = { bash, zsh, fish }
