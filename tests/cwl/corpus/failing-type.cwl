cwlVersion: v1.1
class: ExpressionTool
id: failing-type
requirements: {InlineJavascriptRequirement: {}}
inputs: {}
outputs: {number: int}
expression: '${return {number: "no number"};}'
