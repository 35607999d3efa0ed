cwlVersion: v1.1
class: Workflow
id: scatter-dot
requirements: {ScatterFeatureRequirement: {}, InlineJavascriptRequirement: {}}
inputs: {left: 'int[]', right: 'int[]', plus: {type: int, default: 100}}
outputs:
  sums: {type: 'int[]', outputSource: add/sum}
steps:
  add:
    run:
      class: ExpressionTool
      inputs: {a: int, b: int, c: int}
      outputs: {sum: int}
      expression: '${return {sum: inputs.a * inputs.b + inputs.c};}'
    scatter: [a, b]
    scatterMethod: dotproduct
    in: {a: left, b: right, c: plus}
    out: [sum]
