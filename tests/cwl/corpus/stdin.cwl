cwlVersion: v1.0
class: CommandLineTool
id: stdin
baseCommand: [tr, a-z, A-Z]
inputs:
  text: File
stdin: $(inputs.text.path)
stdout: $(inputs.text.nameroot).upper
outputs:
  upper: stdout
