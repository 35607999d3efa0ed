cwlVersion: v1.2
class: ExpressionTool
id: no-inputs
requirements: {InlineJavascriptRequirement: {}}
inputs: []
outputs: []
expression: "${return {};}"
