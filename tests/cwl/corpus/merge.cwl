cwlVersion: v1.1
class: Workflow
id: merge
requirements: {MultipleInputFeatureRequirement: {}, InlineJavascriptRequirement: {}}
inputs: {left: 'int[]', right: 'int[]', one: int}
outputs:
  flat: {type: 'int[]', outputSource: [left, right], linkMerge: merge_flattened}
  nested: {type: {type: array, items: {type: array, items: int}}, outputSource: [left, right], linkMerge: merge_nested}
  count: {type: int, outputSource: count/n}
steps:
  count:
    run:
      class: ExpressionTool
      inputs: {all: {type: {type: array, items: int}}}
      outputs: {n: int}
      expression: '${return {n: inputs.all.length};}'
    in:
      all: {source: [left, right, one], linkMerge: merge_flattened}
    out: [n]
