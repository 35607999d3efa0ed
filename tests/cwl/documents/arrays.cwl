cwlVersion: v1.0
class: CommandLineTool
id: arrays
baseCommand: echo
inputs:
  items: string[]
  grid: {type: {type: array, items: {type: array, items: double}}}
  mixed: {type: {type: array, items: [string, int]}}
  files: File[]
  maybe: File[]?
  folders: Directory[]
  holes: {type: {type: array, items: ["null", File]}}
  sheets: {type: {type: array, items: {type: array, items: File}}}
outputs:
  made: {type: "File[]", outputBinding: {glob: "*.tif"}}
