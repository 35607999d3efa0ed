cwlVersion: v1.2
class: Workflow
id: inline
requirements: {StepInputExpressionRequirement: {}, InlineJavascriptRequirement: {expressionLib: ["function twice(x) { return 2 * x; }"]}}
inputs: {a: int, b: {type: int?}}
outputs: {done: {type: "File?", outputSource: step/out}}
steps:
  step:
    when: $(inputs.a > 1)
    in: {a: {source: a, valueFrom: $(twice(self))}}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: echo
      inputs: {a: {type: int, inputBinding: {}}}
      outputs: {out: stdout}
