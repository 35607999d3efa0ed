cwlVersion: v1.0
class: ExpressionTool
id: any
requirements: {InlineJavascriptRequirement: {}}
inputs:
  thing: Any
outputs:
  same: Any
expression: '${return {same: inputs.thing};}'
