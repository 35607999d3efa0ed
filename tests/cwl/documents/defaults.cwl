cwlVersion: v1.1
class: CommandLineTool
id: defaults
baseCommand: echo
inputs:
  off: {type: boolean, default: false}
  zero: {type: int, default: 0}
  empty: {type: string, default: ""}
  none: {type: "string[]", default: []}
  bands: {type: "string[]", default: [green, nir]}
  maybe: string?
  maybe_zero: {type: int?, default: 0}
  big: {type: long, default: 9007199254740993}
  half: {type: double, default: 0.5}
  script: {type: File, default: {class: File, basename: a.txt, contents: hello}}
  remote: {type: File?, default: {class: File, location: "https://example.com/a.txt"}}
outputs: []
