cwlVersion: v1.2
class: CommandLineTool
id: links
doc: Links to the tool's own files are those files.
baseCommand: [sh, -c, 'echo inside > original.txt; ln -s original.txt near.txt; ln -s "$PWD/original.txt" absolute.txt; mkdir d; ln -s ../original.txt d/up.txt']
inputs: {}
outputs:
  near: {type: File, outputBinding: {glob: near.txt}}
  absolute: {type: File, outputBinding: {glob: absolute.txt}}
  folder: {type: Directory, outputBinding: {glob: d}}
