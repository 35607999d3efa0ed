cwlVersion: v1.0
$graph:
  step:
    class: CommandLineTool
    baseCommand: echo
    inputs: {text: string}
    outputs: {out: stdout}
  whole:
    class: Workflow
    inputs: {text: string}
    outputs: {out: {type: File, outputSource: a/out}}
    steps: {a: {run: "#step", in: {text: text}, out: [out]}}
