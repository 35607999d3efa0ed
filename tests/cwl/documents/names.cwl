cwlVersion: v1.2
class: CommandLineTool
id: names
baseCommand: echo
requirements:
  SchemaDefRequirement:
    types:
      - {name: level, type: enum, symbols: [low, high]}
      - name: setting
        type: record
        label: A setting
        fields: [{name: key, type: string}, {name: level, type: "#names/level"}]
inputs:
  level: {type: "#names/level", default: low}
  setting: {type: "#names/setting"}
  settings: {type: {type: array, items: "#names/setting"}}
outputs: []
