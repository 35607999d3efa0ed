cwlVersion: v1.2
class: Workflow
id: when-scatter
requirements: {InlineJavascriptRequirement: {}, ScatterFeatureRequirement: {}}
inputs: {numbers: 'int[]'}
outputs:
  odd: {type: 'int[]', outputSource: keep/same, pickValue: all_non_null}
  gaps: {type: {type: array, items: ['null', int]}, outputSource: keep/same}
steps:
  keep:
    when: $(inputs.number % 2 === 1)
    scatter: number
    in: {number: numbers}
    out: [same]
    run:
      class: ExpressionTool
      inputs: {number: int}
      outputs: {same: int}
      expression: '${return {same: inputs.number};}'
