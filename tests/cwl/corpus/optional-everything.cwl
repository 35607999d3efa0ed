cwlVersion: v1.1
class: CommandLineTool
id: optional-everything
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [echo, start]
inputs:
  file: {type: 'File?', inputBinding: {position: 1}}
  folder: Directory?
  words: {type: 'string[]?', inputBinding: {position: 2, prefix: -w}}
  number: {type: ['null', int], inputBinding: {position: 3}}
  record: {type: ['null', {type: record, fields: {a: 'int?'}}]}
outputs:
  line: stdout
  nulls: {type: int, outputBinding: {outputEval: '${var n = 0; for (var k in inputs) if (inputs[k] === null) n++; return n;}'}}
  echoed: {type: 'int?', outputBinding: {outputEval: $(inputs.number)}}
stdout: line.txt
