cwlVersion: v1.2
class: CommandLineTool
id: geo-api
baseCommand: echo
requirements:
  SchemaDefRequirement:
    types: [{$import: "https://raw.githubusercontent.com/eoap/schemas/main/experimental/geo-api.yaml"}]
inputs: {wanted: "https://raw.githubusercontent.com/eoap/schemas/main/experimental/geo-api.yaml#STACAPI"}
outputs: []
