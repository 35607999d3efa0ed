cwlVersion: v1.0
class: CommandLineTool
id: references
doc: Parameter references without JavaScript.
baseCommand: echo
inputs:
  pair: {type: {type: record, fields: {left: string, right: 'int[]'}}}
  name: {type: string, default: it}
arguments: [$(inputs.pair.left), "$(inputs.pair['left'])", '$(inputs.pair.right[1])', 'n=$(inputs.pair.right.length)', '$(inputs["name"])-$(inputs.name)']
outputs:
  line: stdout
  second: {type: int, outputBinding: {outputEval: '$(inputs.pair.right[1])'}}
stdout: line.txt
