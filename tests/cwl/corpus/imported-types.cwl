cwlVersion: v1.2
class: CommandLineTool
id: imported-types
doc: The types that application packages import by their address; a box has the names of its CRS that they know.
requirements:
  InlineJavascriptRequirement: {}
  SchemaDefRequirement:
    types:
      - $import: https://raw.githubusercontent.com/eoap/schemas/main/ogc.yaml
      - $import: https://raw.githubusercontent.com/eoap/schemas/main/geojson.yaml
      - $import: https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml
baseCommand: echo
arguments:
  - $(inputs.area.bbox.join(","))
  - $(inputs.area.crs)
  - $(inputs.place.coordinates[1])
  - $(inputs.begin.value)
  - '${return inputs.pages.map(function (page) {return page.value;});}'
inputs:
  area: https://raw.githubusercontent.com/eoap/schemas/main/ogc.yaml#BBox
  place: https://raw.githubusercontent.com/eoap/schemas/main/geojson.yaml#Point
  begin: https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml#DateTime
  pages: {type: {type: array, items: 'https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml#URI'}}
outputs: {line: stdout}
stdout: line.txt
