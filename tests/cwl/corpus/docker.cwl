cwlVersion: v1.0
class: CommandLineTool
id: docker
doc: An image that is not on this host; its command is looked for on the host.
requirements:
  DockerRequirement: {dockerPull: 'registry.example/absent:1.0'}
baseCommand: cat
inputs: {file: {type: File, inputBinding: {}}}
outputs: {out: stdout}
stdout: out.txt
