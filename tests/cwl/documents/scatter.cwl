cwlVersion: v1.1
$graph:
- id: tool
  class: CommandLineTool
  baseCommand: echo
  inputs: {x: {type: string, inputBinding: {}}, y: int}
  outputs: {out: stdout}
- id: main
  class: Workflow
  requirements: {ScatterFeatureRequirement: {}, MultipleInputFeatureRequirement: {}}
  inputs: {xs: "string[]", ys: "int[]"}
  outputs: {outs: {type: "File[]", outputSource: s/out}}
  steps: {s: {run: "#tool", scatter: [x, "y"], scatterMethod: flat_crossproduct, in: {x: xs, y: ys}, out: [out]}}
