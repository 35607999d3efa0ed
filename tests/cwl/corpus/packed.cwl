cwlVersion: v1.2
$graph:
- class: CommandLineTool
  id: cat
  baseCommand: cat
  inputs: {file: {type: File, inputBinding: {}}}
  outputs: {out: stdout}
  stdout: cat.txt
- class: Workflow
  id: main
  inputs: {file: File}
  outputs: {out: {type: File, outputSource: only/out}}
  steps:
    only: {run: '#cat', in: {file: file}, out: [out]}
