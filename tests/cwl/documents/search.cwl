cwlVersion: v1.2
class: CommandLineTool
id: search
baseCommand: echo
requirements:
  SchemaDefRequirement:
    types:
    - $import: https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml
    - $import: https://raw.githubusercontent.com/eoap/schemas/main/experimental/api-endpoint.yaml
    - $import: https://raw.githubusercontent.com/eoap/schemas/main/experimental/discovery.yaml
inputs: {search: "https://raw.githubusercontent.com/eoap/schemas/main/experimental/discovery.yaml#STACAPI"}
outputs: []
