cwlVersion: v1.0
class: CommandLineTool
id: initial-work
doc: Files written into the directory before the tool runs, from literals, expressions and inputs.
requirements:
  InlineJavascriptRequirement: {}
  InitialWorkDirRequirement:
    listing:
      - {entryname: run.sh, entry: "for word in $(inputs.words.join(' ')); do\n  echo \"<\\$word>\"\ndone\ncat renamed.txt config.json\n"}
      - {entryname: renamed.txt, entry: $(inputs.source)}
      - {entryname: config.json, entry: $(JSON.stringify(inputs.config))}
      - {entryname: edit.txt, entry: $(inputs.source), writable: true}
baseCommand: sh
arguments:
  - -c
  - sh run.sh && echo changed >> edit.txt
inputs:
  words: string[]
  source: File
  config: {type: {type: record, fields: {a: int, b: 'string[]'}}}
stdout: out.txt
outputs:
  out: stdout
  edited: {type: File, outputBinding: {glob: edit.txt}}
