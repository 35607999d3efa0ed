cwlVersion: v1.2
class: CommandLineTool
id: file-record-array
doc: An array of records with files; secondary files in a record; files of a nested array.
baseCommand: [sh, -c, 'cat "$@"', sh]
inputs:
  scenes:
    type:
      type: array
      items:
        type: record
        fields:
          name: {type: string}
          file: {type: File, inputBinding: {}, secondaryFiles: [.ovr, ^.prj]}
    inputBinding: {}
  grid: {type: {type: array, items: {type: array, items: File}}}
requirements: {InlineJavascriptRequirement: {}}
outputs:
  all: stdout
  beside: {type: 'string[]', outputBinding: {outputEval: '$(inputs.scenes[0].file.secondaryFiles.map(function (f) {return f.basename;}))'}}
  sizes: {type: {type: array, items: {type: array, items: int}}, outputBinding: {outputEval: '$(inputs.grid.map(function (r) {return r.map(function (f) {return f.size;});}))'}}
stdout: all.txt
