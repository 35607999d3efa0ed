cwlVersion: v1.2
class: CommandLineTool
id: formats
baseCommand: echo
$namespaces: {edam: "http://edamontology.org/", iana: "https://www.iana.org/assignments/media-types/", ogc: "http://www.opengis.net/def/media-type/ogc/1.0/"}
requirements: {InlineJavascriptRequirement: {}}
inputs:
  json: {type: File, format: edam:format_3464}
  csv: {type: File, format: "http://edamontology.org/format_3752"}
  tiff: {type: File, format: iana:image/tiff}
  bare: {type: File, format: "image/tiff; application=geotiff"}
  either: {type: File, format: [edam:format_3752, edam:format_3591]}
  geojson: {type: File, format: ogc:geojson}
  computed: {type: File, format: $(inputs.json.format)}
  unknown: {type: File, format: edam:format_9999999}
  plain: File
outputs:
  text: {type: File, format: edam:format_2330, outputBinding: {glob: a.txt}}
  same: {type: File, format: $(inputs.json.format), outputBinding: {glob: b}}
