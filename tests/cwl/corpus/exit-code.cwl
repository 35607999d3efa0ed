cwlVersion: v1.2
class: CommandLineTool
id: exit-code
doc: The exit code as an output.
requirements: {InlineJavascriptRequirement: {}}
successCodes: [0, 7]
baseCommand: [sh, -c, 'exit 7']
inputs: {}
outputs:
  code: {type: int, outputBinding: {outputEval: $(runtime.exitCode)}}
