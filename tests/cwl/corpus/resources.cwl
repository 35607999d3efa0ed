cwlVersion: v1.0
class: CommandLineTool
id: resources
requirements: {InlineJavascriptRequirement: {}}
hints:
  ResourceRequirement: {coresMin: $(inputs.cores), ramMin: 64, tmpdirMin: 10, outdirMin: 10}
baseCommand: [sh, -c, 'test "$2" = "$PWD" && test -d "$3" && test -w "$3" && test "$4" -ge 64 && echo "$1 cores"', sh]
arguments: [$(runtime.cores), $(runtime.outdir), $(runtime.tmpdir), $(runtime.ram), $(runtime.outdirSize), $(runtime.tmpdirSize)]
inputs: {cores: int}
outputs: {said: stdout}
stdout: said.txt
