cwlVersion: v1.0
class: CommandLineTool
id: lists
hints: [{class: SomebodysRequirement, level: 3}, {class: DockerRequirement, dockerPull: debian}]
baseCommand: [echo]
inputs:
- {id: second, type: string}
- {id: first, type: int}
outputs: [{id: out, type: File, outputBinding: {glob: x}}]
