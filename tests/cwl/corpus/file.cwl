cwlVersion: v1.0
class: CommandLineTool
id: file
doc: One file in, the same file out under another name; size and parts of its name by parameter references.
baseCommand: [sh, -c, 'cat "$1" > "$2"; echo "$3 $4 $5"', sh]
inputs:
  source: {type: File, inputBinding: {position: 1}}
arguments:
  - {position: 2, valueFrom: $(inputs.source.nameroot).copy}
  - {position: 3, valueFrom: $(inputs.source.basename)}
  - {position: 4, valueFrom: $(inputs.source.nameext)}
  - {position: 5, valueFrom: $(inputs.source.size)}
outputs:
  copy: {type: File, outputBinding: {glob: '*.copy'}}
  facts: {type: stdout}
stdout: facts.txt
