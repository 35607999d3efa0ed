cwlVersion: v1.2
class: CommandLineTool
id: record
doc: A record with a file in it, and a record of results.
baseCommand: [sh, -c, 'cat "$1" > copied.txt; echo "$@" | sed "s|/[^ ]*/||g"', sh]
inputs:
  settings:
    type:
      type: record
      fields:
        table: {type: File, inputBinding: {position: 1}}
        factor: {type: float, inputBinding: {position: 2, prefix: --factor}}
        notes: {type: 'string[]?', inputBinding: {position: 3}}
outputs:
  results:
    type:
      type: record
      fields:
        copied: {type: File, outputBinding: {glob: copied.txt}}
        factor: {type: float, outputBinding: {outputEval: $(inputs.settings.factor)}}
        missing: {type: 'File?', outputBinding: {glob: nowhere}}
  words: {type: stdout}
stdout: words.txt
