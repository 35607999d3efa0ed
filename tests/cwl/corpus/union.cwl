cwlVersion: v1.1
class: ExpressionTool
id: union
requirements:
  InlineJavascriptRequirement: {}
doc: One of several types, told by the value.
inputs:
  value: [int, string, boolean, 'string[]', File, {type: record, name: pair, fields: {left: int, right: int}}]
outputs:
  kind: string
expression: |
  ${
    var v = inputs.value;
    if (Array.isArray(v)) { return {kind: "array of " + v.length}; }
    if (v !== null && typeof v === "object") { return {kind: v["class"] || "record " + (v.left + v.right)}; }
    return {kind: typeof v + " " + v};
  }
