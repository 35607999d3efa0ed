cwlVersion: v1.0
class: Workflow
id: scatter
requirements: {ScatterFeatureRequirement: {}}
inputs:
  words: string[]
outputs:
  lines: {type: 'File[]', outputSource: shout/line}
steps:
  shout:
    run:
      class: CommandLineTool
      baseCommand: echo
      inputs:
        word: {type: string, inputBinding: {}}
      outputs:
        line: stdout
      stdout: $(inputs.word).txt
    scatter: word
    in: {word: words}
    out: [line]
