cwlVersion: v1.1
class: CommandLineTool
id: stdin-shortcut
baseCommand: [wc, -c]
inputs:
  text: stdin
outputs:
  count: stdout
