cwlVersion: v1.2
class: CommandLineTool
id: docker-hint
hints:
  DockerRequirement: {dockerPull: 'registry.example/absent:1.0', dockerOutputDirectory: /elsewhere}
  SoftwareRequirement: {packages: {coreutils: {version: ['9.1'], specs: ['https://example.org/coreutils']}}}
  NetworkAccess: {networkAccess: false}
  https://example.org/unknown: {any: thing}
baseCommand: [sh, -c, 'test -w . && date > when.txt && basename when.txt']
inputs: {}
outputs: {out: stdout}
stdout: out.txt
$namespaces: {cwltool: 'http://commonwl.org/cwltool#'}
