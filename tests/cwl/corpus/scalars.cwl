cwlVersion: v1.0
class: CommandLineTool
id: scalars
doc: Every scalar type on one command line.
baseCommand: [printf, '%s|%s|%s|%s|%s|%s|%s\n']
inputs:
  truth: {type: boolean, inputBinding: {prefix: --truth, position: 1}}
  small: {type: int, inputBinding: {position: 2}}
  large: {type: long, inputBinding: {position: 3}}
  single: {type: float, inputBinding: {position: 4}}
  precise: {type: double, inputBinding: {position: 5}}
  text: {type: string, inputBinding: {position: 6}}
  nothing: {type: ['null'], inputBinding: {position: 7}}
outputs:
  line: stdout
stdout: line.txt
