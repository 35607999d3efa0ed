cwlVersion: v1.0
class: CommandLineTool
id: no-outputs
baseCommand: 'true'
inputs: []
outputs: []
