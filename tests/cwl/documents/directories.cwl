cwlVersion: v1.2
class: CommandLineTool
id: directories
baseCommand: ls
inputs:
  item: {type: Directory, inputBinding: {position: 1}}
  maybe: Directory?
outputs:
  results: {type: Directory, outputBinding: {glob: .}}
  maybe_not: {type: "Directory?", outputBinding: {glob: x}}
