cwlVersion: v1.2
class: Workflow
id: scatter-cross
requirements: {ScatterFeatureRequirement: {}, InlineJavascriptRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {left: 'string[]', right: 'string[]'}
outputs:
  nested: {type: {type: array, items: {type: array, items: string}}, outputSource: nest/joined}
  flat: {type: 'string[]', outputSource: flatten/joined}
steps:
  nest:
    run: &join
      class: ExpressionTool
      inputs: {a: string, b: string}
      outputs: {joined: string}
      expression: '${return {joined: inputs.a + inputs.b};}'
    scatter: [a, b]
    scatterMethod: nested_crossproduct
    in: {a: left, b: right}
    out: [joined]
  flatten:
    run: *join
    scatter: [a, b]
    scatterMethod: flat_crossproduct
    in:
      a: {source: left, valueFrom: $(self)-}
      b: right
    out: [joined]
