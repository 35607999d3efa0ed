cwlVersion: v1.1
class: CommandLineTool
id: enum
baseCommand: echo
inputs:
  colour:
    type: {type: enum, symbols: [red, green, blue]}
    inputBinding: {prefix: --colour=, separate: false}
  sizes:
    type: {type: array, items: {type: enum, symbols: [small, large]}}
    inputBinding: {position: 1, itemSeparator: ","}
outputs:
  chosen: {type: {type: enum, symbols: [red, green, blue]}, outputBinding: {outputEval: $(inputs.colour)}}
  line: {type: stdout}
