cwlVersion: v1.2
class: ExpressionTool
id: defaults
requirements: {InlineJavascriptRequirement: {}}
doc: Defaults that are falsy are defaults all the same.
inputs:
  flag: {type: boolean, default: false}
  zero: {type: int, default: 0}
  empty: {type: string, default: ""}
  none: {type: 'int[]', default: []}
  tiny: {type: double, default: 0.0}
  maybe: string?
  record: {type: {type: record, fields: {a: int, b: string?}}, default: {a: 0}}
outputs:
  got: Any
expression: '${return {got: inputs};}'
