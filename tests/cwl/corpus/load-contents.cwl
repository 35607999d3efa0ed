cwlVersion: v1.1
class: CommandLineTool
id: load-contents
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [sh, -c, 'wc -l < "$1" > count; printf "{\"k\": [1, 2]}" > data.json', sh]
inputs:
  table: {type: File, loadContents: true, inputBinding: {}}
outputs:
  lines: {type: int, outputBinding: {glob: count, loadContents: true, outputEval: '$(parseInt(self[0].contents))'}}
  data: {type: Any, outputBinding: {glob: data.json, loadContents: true, outputEval: '$(JSON.parse(self[0].contents))'}}
  first: {type: string, outputBinding: {outputEval: '$(inputs.table.contents.split("\n")[0])'}}
