cwlVersion: v1.1
class: CommandLineTool
id: given-on
doc: An input that is staged into the directory, found again by its path, and given on by an expression.
requirements: {InitialWorkDirRequirement: {listing: [$(inputs.file)]}}
baseCommand: [sh, -c, 'echo more > more.txt']
inputs: {file: File}
outputs:
  more: {type: File, outputBinding: {glob: $(runtime.outdir)/more.txt}}
  found: {type: File, outputBinding: {glob: $(inputs.file.path)}}
  same: {type: File, outputBinding: {outputEval: $(inputs.file)}}
