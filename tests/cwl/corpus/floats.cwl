cwlVersion: v1.2
class: CommandLineTool
id: floats
doc: No exponent on a command line, and an integer stays one; given and by default.
baseCommand: echo
inputs:
  small: {type: float, inputBinding: {position: 1}}
  large: {type: double, inputBinding: {position: 2}}
  written: {type: float, default: 1.23e5, inputBinding: {position: 3}}
  whole: {type: double, default: 1230000, inputBinding: {position: 4}}
  tiny: {type: float, default: 0.00001, inputBinding: {position: 5}}
  record: {type: {type: record, fields: {long: double}}, default: {long: 1000000000000000000000000000000000000000000}}
arguments: [{position: 6, valueFrom: $(inputs.record.long)}]
outputs: {line: stdout}
stdout: line.txt
