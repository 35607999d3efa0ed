cwlVersion: v1.0
class: Workflow
id: step-inputs
doc: valueFrom, defaults and inputs that a tool does not know.
requirements: {StepInputExpressionRequirement: {}, InlineJavascriptRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs:
  a: {type: int, default: 3}
  b: int?
  source: File
outputs:
  sum: {type: int, outputSource: add/sum}
  line: {type: File, outputSource: echo/line}
steps:
  add:
    run:
      class: ExpressionTool
      inputs: {x: int, y: int, z: int}
      outputs: {sum: int}
      expression: '${return {sum: inputs.x + inputs.y + inputs.z};}'
    in:
      x: {source: a, valueFrom: $(self * 10)}
      y: {source: b, default: 5}
      z: {source: [a, b], valueFrom: '$(self[0])'}
      unknown: a
    out: [sum]
  echo:
    run:
      class: CommandLineTool
      baseCommand: echo
      inputs: {one: {type: string, inputBinding: {position: 1}}, two: {type: string, inputBinding: {position: 2}}}
      outputs: {line: {type: stdout}}
      stdout: line.txt
    in:
      one: {valueFrom: a constant}
      hidden: source
      two: {valueFrom: $(inputs.hidden.basename)}
    out: [line]
