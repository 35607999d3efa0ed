cwlVersion: v1.2
class: CommandLineTool
id: formats
doc: A format decides the media type, in and out.
$namespaces: {iana: 'https://www.iana.org/assignments/media-types/', edam: 'http://edamontology.org/'}
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [sh, -c, 'cp "$1" result.bin; cp "$1" copy.bin', sh]
inputs:
  data: {type: File, format: [iana:application/geo+json, edam:format_3464], inputBinding: {}}
outputs:
  result: {type: File, format: iana:image/png, outputBinding: {glob: result.bin}}
  copy: {type: File, format: $(inputs.data.format), outputBinding: {glob: copy.bin}}
  seen: {type: string, outputBinding: {outputEval: $(inputs.data.format)}}
