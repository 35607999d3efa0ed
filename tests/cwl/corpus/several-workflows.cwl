cwlVersion: v1.0
$graph:
- class: Workflow
  id: first
  inputs: {word: string}
  outputs: {out: {type: File, outputSource: say/out}}
  steps:
    say: {run: '#say', in: {word: word}, out: [out]}
- class: Workflow
  id: second
  requirements: {StepInputExpressionRequirement: {}}
  inputs: {word: string}
  outputs: {out: {type: File, outputSource: say/out}}
  steps:
    say:
      run: '#say'
      in:
        word: {source: word, valueFrom: 'second $(self)'}
      out: [out]
- class: CommandLineTool
  id: say
  baseCommand: echo
  inputs: {word: {type: string, inputBinding: {}}}
  outputs: {out: stdout}
  stdout: said.txt
