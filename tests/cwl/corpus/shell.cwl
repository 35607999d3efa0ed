cwlVersion: v1.1
class: CommandLineTool
id: shell
requirements: {ShellCommandRequirement: {}}
baseCommand: echo
inputs:
  quoted: {type: string, inputBinding: {position: 1}}
  raw: {type: string, inputBinding: {position: 4, shellQuote: false}}
arguments:
  - {position: 2, valueFrom: '|', shellQuote: false}
  - {position: 3, valueFrom: cat}
  - {position: 5, valueFrom: '> caught.txt', shellQuote: false}
outputs:
  caught: {type: File, outputBinding: {glob: caught.txt}}
