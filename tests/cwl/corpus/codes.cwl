cwlVersion: v1.0
class: CommandLineTool
id: codes
doc: An exit code that means success, one that means a passing trouble, one that means failure.
successCodes: [0, 3]
temporaryFailCodes: [4]
permanentFailCodes: [5]
baseCommand: [sh, -c, 'echo "ended with $1" | tee /dev/stderr > said.txt; exit "$1"', sh]
inputs: {code: {type: int, inputBinding: {}}}
outputs:
  said: {type: File, outputBinding: {glob: said.txt}}
