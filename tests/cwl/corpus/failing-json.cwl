cwlVersion: v1.1
class: CommandLineTool
id: failing-json
baseCommand: [sh, -c, 'echo "{this is no json" > cwl.output.json']
inputs: {}
outputs: {number: int}
