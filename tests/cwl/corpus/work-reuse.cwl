cwlVersion: v1.2
class: Workflow
id: work-reuse
doc: The same step twice; one that must not be reused, too.
inputs: {word: string}
outputs:
  a: {type: File, outputSource: a/out}
  b: {type: File, outputSource: b/out}
  c: {type: File, outputSource: c/out}
steps:
  a: {run: &echo {class: CommandLineTool, baseCommand: echo, inputs: {word: {type: string, inputBinding: {}}}, outputs: {out: {type: stdout}}, stdout: out.txt}, in: {word: word}, out: [out]}
  b: {run: *echo, in: {word: word}, out: [out]}
  c:
    run:
      class: CommandLineTool
      requirements: {WorkReuse: {enableReuse: false}}
      baseCommand: echo
      inputs: {word: {type: string, inputBinding: {}}}
      outputs: {out: {type: stdout}}
      stdout: out.txt
    in: {word: word}
    out: [out]
