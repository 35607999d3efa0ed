cwlVersion: v1.2
class: Workflow
id: passing-through
doc: Inputs that are outputs, without a step between them.
inputs: {file: File, number: int, folder: Directory}
outputs:
  same: {type: File, outputSource: file}
  as-it-was: {type: int, outputSource: number}
  place: {type: Directory, outputSource: folder}
steps: {}
