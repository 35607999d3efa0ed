cwlVersion: v1.2
class: CommandLineTool
id: any-file
doc: A file given for Any is a file.
requirements: {InlineJavascriptRequirement: {}}
baseCommand: cat
inputs:
  thing: {type: Any, inputBinding: {valueFrom: $(self.path)}}
outputs:
  content: stdout
stdout: content.txt
