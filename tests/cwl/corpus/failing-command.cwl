cwlVersion: v1.1
class: CommandLineTool
id: failing-command
baseCommand: a-command-that-nobody-has
inputs: {}
outputs: {}
