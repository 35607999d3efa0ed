cwlVersion: v1.0
$graph:
- class: Workflow
  id: first
  inputs: &inputs {text: {type: string?, default: a}}
  outputs: &outputs {out: {type: File, outputSource: s/out}}
  steps: &steps {s: {run: "#tool", in: {text: text}, out: [out]}}
- {class: Workflow, id: second, inputs: *inputs, outputs: *outputs, steps: *steps}
- {class: CommandLineTool, id: tool, baseCommand: echo, inputs: *inputs, outputs: {out: stdout}}
