cwlVersion: v1.2
class: CommandLineTool
id: scalars
baseCommand: echo
inputs:
  a_boolean: boolean
  an_int: int
  a_long: long
  a_float: float
  a_double: double
  a_string: string
  anything: Any
outputs:
  count: {type: long, outputBinding: {glob: count.txt, loadContents: true, outputEval: $(self)}}
requirements: {InlineJavascriptRequirement: {}}
