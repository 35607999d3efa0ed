cwlVersion: v1.0
class: CommandLineTool
id: same-name
doc: Two inputs whose files have one name.
baseCommand: cat
inputs:
  first: {type: File, inputBinding: {position: 1}}
  second: {type: File, inputBinding: {position: 2}}
stdout: both.txt
outputs:
  both: stdout
