cwlVersion: v1.2
class: Workflow
id: failing-step
inputs: {word: string}
outputs: {out: {type: File, outputSource: good/out}, never: {type: File, outputSource: bad/out}}
steps:
  good:
    run: {class: CommandLineTool, baseCommand: echo, inputs: {word: {type: string, inputBinding: {}}}, outputs: {out: {type: stdout}}, stdout: o.txt}
    in: {word: word}
    out: [out]
  bad:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'echo it began; echo "it cannot go on" >&2; exit 42']
      inputs: {file: File}
      outputs: {out: {type: stdout}}
      stdout: o.txt
    in: {file: good/out}
    out: [out]
