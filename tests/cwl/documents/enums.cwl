cwlVersion: v1.2
class: CommandLineTool
id: enums
baseCommand: echo
inputs:
  colour: {type: {type: enum, symbols: [red, green]}, default: green}
  named: {type: {type: enum, name: size, symbols: [s, m, l]}}
  several: {type: {type: array, items: {type: enum, symbols: [a, b]}}}
  maybe: {type: ["null", {type: enum, symbols: [x, "y"]}]}
outputs: []
