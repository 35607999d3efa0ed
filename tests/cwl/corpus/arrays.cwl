cwlVersion: v1.0
class: CommandLineTool
id: arrays
doc: Arrays on the command line in all three ways, and an array of arrays.
baseCommand: [sh, -c, 'for word in "$@"; do echo "$word"; done', sh]
inputs:
  plain: {type: 'string[]', inputBinding: {position: 1, prefix: --plain}}
  each: {type: {type: array, items: int, inputBinding: {prefix: -e}}, inputBinding: {position: 2}}
  joined: {type: 'double[]', inputBinding: {position: 3, prefix: --joined=, separate: false, itemSeparator: ":"}}
  nested:
    type: {type: array, items: {type: array, items: int, inputBinding: {prefix: row}}}
    inputBinding: {position: 4}
  empty: {type: 'string[]', inputBinding: {position: 5, prefix: --empty}}
outputs:
  words: {type: stdout}
stdout: words.txt
