cwlVersion: v1.1
class: Workflow
id: update
doc: A file that a step changes in place, as it says.
requirements: {InlineJavascriptRequirement: {}}
inputs: {}
outputs: {number: {type: int, outputSource: read/number}}
steps:
  make:
    run: {class: CommandLineTool, baseCommand: [sh, -c, 'echo 3 > f'], inputs: {}, outputs: {file: {type: File, outputBinding: {glob: f}}}}
    in: {}
    out: [file]
  change:
    run:
      class: CommandLineTool
      requirements:
        InplaceUpdateRequirement: {inplaceUpdate: true}
        InitialWorkDirRequirement: {listing: [{entry: $(inputs.file), writable: true}]}
      baseCommand: [sh, -c, 'n=$(cat f); echo $((n+1)) > f']
      inputs: {file: File}
      outputs: {file: {type: File, outputBinding: {glob: f}}}
    in: {file: make/file}
    out: [file]
  read:
    run:
      class: CommandLineTool
      baseCommand: 'true'
      inputs: {file: {type: File, loadContents: true}}
      outputs: {number: {type: int, outputBinding: {outputEval: $(parseInt(inputs.file.contents))}}}
    in: {file: change/file}
    out: [number]
