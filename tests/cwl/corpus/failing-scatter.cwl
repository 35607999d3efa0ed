cwlVersion: v1.0
class: Workflow
id: failing-scatter
doc: Two lists of different lengths have no dot product.
requirements: {ScatterFeatureRequirement: {}}
inputs: {left: 'string[]', right: 'string[]'}
outputs: {lines: {type: 'File[]', outputSource: echo/line}}
steps:
  echo:
    scatter: [a, b]
    scatterMethod: dotproduct
    in: {a: left, b: right}
    out: [line]
    run:
      class: CommandLineTool
      baseCommand: echo
      inputs: {a: {type: string, inputBinding: {}}, b: {type: string, inputBinding: {}}}
      outputs: {line: {type: stdout}}
