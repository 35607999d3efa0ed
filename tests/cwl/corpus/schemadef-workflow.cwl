cwlVersion: v1.2
$graph:
- class: Workflow
  id: points
  requirements:
    SchemaDefRequirement:
      types:
        - {name: point, type: record, fields: {x: double, y: double}}
    ScatterFeatureRequirement: {}
    InlineJavascriptRequirement: {}
  inputs:
    points: {type: {type: array, items: '#points/point'}}
  outputs:
    sums: {type: 'double[]', outputSource: add/sum}
  steps:
    add:
      run: '#add'
      scatter: point
      in: {point: points}
      out: [sum]
- class: ExpressionTool
  id: add
  requirements:
    InlineJavascriptRequirement: {}
  inputs:
    point: '#points/point'
  outputs:
    sum: double
  expression: '${return {sum: inputs.point.x + inputs.point.y};}'
