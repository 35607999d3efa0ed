cwlVersion: v1.0
class: CommandLineTool
id: failing-output
doc: A file that was promised is not there.
baseCommand: 'true'
inputs: {}
outputs: {made: {type: File, outputBinding: {glob: promised.txt}}}
