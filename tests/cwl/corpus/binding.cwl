cwlVersion: v1.2
class: CommandLineTool
id: binding
doc: Positions, prefixes, flags, and arguments among them.
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [sh, -c, 'for word in "$@"; do echo "$word"; done', sh, base]
arguments:
  - first
  - {prefix: -p, valueFrom: $(1 + 1), position: 2}
  - {prefix: --fixed=, separate: false, valueFrom: value, position: -1}
  - {position: '$(3 * 3)', valueFrom: ninth}
inputs:
  last: {type: string, inputBinding: {position: 10}}
  negative: {type: string, inputBinding: {position: -2, prefix: -n}}
  on: {type: boolean, inputBinding: {position: 3, prefix: --on}}
  off: {type: boolean, inputBinding: {position: 3, prefix: --off}}
  absent: {type: 'string?', inputBinding: {position: 4, prefix: --absent}}
  changed: {type: int, inputBinding: {position: 5, valueFrom: $(self + 1)}}
  unbound: string
  same1: {type: int, inputBinding: {position: 6, prefix: -a}}
  same2: {type: int, inputBinding: {position: 6, prefix: -b}}
outputs:
  words: stdout
stdout: words.txt
