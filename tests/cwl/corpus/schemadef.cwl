cwlVersion: v1.0
class: CommandLineTool
id: schemadef
requirements:
  SchemaDefRequirement:
    types:
      - {name: level, type: enum, symbols: [low, high]}
      - name: reading
        type: record
        fields:
          - {name: station, type: string, inputBinding: {position: 1}}
          - {name: level, type: '#schemadef/level', inputBinding: {position: 2, prefix: -l}}
          - {name: values, type: {type: array, items: float}, inputBinding: {position: 3, itemSeparator: ","}}
baseCommand: echo
inputs:
  reading: {type: '#schemadef/reading', inputBinding: {position: 1}}
  more: {type: ['#schemadef/level', 'null'], inputBinding: {position: 2}}
outputs:
  line: {type: stdout}
stdout: line.txt
