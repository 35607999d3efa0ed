cwlVersion: v1.2
$graph:
- class: CommandLineTool
  id: eoap
  baseCommand: echo
  requirements:
  - class: SchemaDefRequirement
    types:
    - $import: https://raw.githubusercontent.com/eoap/schemas/main/ogc.yaml
    - $import: https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml
    - $import: https://raw.githubusercontent.com/eoap/schemas/refs/heads/main/geojson.yaml
    - $import: https://raw.githubusercontent.com/eoap/schemas/refs/tags/0.1.0/stac.yaml
  inputs:
    aoi: https://raw.githubusercontent.com/eoap/schemas/main/ogc.yaml#BBox
    uri: https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml#URI
    when:
      type: https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml#DateTime
      default: {value: "2024-07-01T00:00:00Z"}
    maybe: https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml#Date?
    uris: {type: {type: array, items: "https://raw.githubusercontent.com/eoap/schemas/main/string_format.yaml#URI"}}
    shape: https://raw.githubusercontent.com/eoap/schemas/refs/heads/main/geojson.yaml#Polygon
    feature: https://raw.githubusercontent.com/eoap/schemas/refs/heads/main/geojson.yaml#Feature
    features: https://raw.githubusercontent.com/eoap/schemas/refs/heads/main/geojson.yaml#FeatureCollection
    item: https://raw.githubusercontent.com/eoap/schemas/refs/tags/0.1.0/stac.yaml#Item
    link: https://raw.githubusercontent.com/eoap/schemas/refs/tags/0.1.0/stac.yaml#Link
  outputs: []
