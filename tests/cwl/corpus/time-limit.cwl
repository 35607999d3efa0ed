cwlVersion: v1.1
class: CommandLineTool
id: time-limit
requirements:
  ToolTimeLimit: {timelimit: $(inputs.seconds)}
baseCommand: [sh, -c, 'sleep "$1" && echo done', sh]
inputs:
  seconds: long
  pause: {type: int, inputBinding: {}}
outputs: {said: stdout}
stdout: said.txt
