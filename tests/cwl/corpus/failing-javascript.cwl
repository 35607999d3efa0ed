cwlVersion: v1.2
class: ExpressionTool
id: failing-javascript
requirements: {InlineJavascriptRequirement: {}}
inputs: {how: {type: {type: enum, symbols: [endless, thrown, undefined, recursion]}}}
outputs: {number: int}
expression: |
  ${
    if (inputs.how === "endless") { while (true) {} }
    if (inputs.how === "thrown") { throw new Error("thrown on purpose"); }
    if (inputs.how === "recursion") { return (function f(x) { return f(x + 1) + 1; })(0); }
    return {number: nothing.at.all};
  }
