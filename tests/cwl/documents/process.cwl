cwlVersion: v1.2
class: CommandLineTool
id: process
baseCommand: echo
requirements:
  SchemaDefRequirement:
    types: [{$import: "https://raw.githubusercontent.com/eoap/schemas/main/experimental/process.yaml"}]
inputs: {wanted: "https://raw.githubusercontent.com/eoap/schemas/main/experimental/process.yaml#OCGProcesses"}
outputs: []
