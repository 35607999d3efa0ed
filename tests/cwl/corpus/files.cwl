cwlVersion: v1.1
class: CommandLineTool
id: files
baseCommand: [sort, -r]
inputs:
  tables: {type: 'File[]', inputBinding: {position: 1}}
  reverse: {type: 'boolean?', inputBinding: {prefix: -r}}
stdout: sorted.txt
outputs:
  sorted: {type: stdout}
  again: {type: 'File[]', outputBinding: {glob: sorted.txt}}
