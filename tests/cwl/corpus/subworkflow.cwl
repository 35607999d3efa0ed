cwlVersion: v1.0
$graph:
- class: Workflow
  id: outer
  requirements: {SubworkflowFeatureRequirement: {}, ScatterFeatureRequirement: {}}
  inputs: {files: 'File[]'}
  outputs:
    tidy: {type: 'File[]', outputSource: each/tidy}
  steps:
    each:
      run: '#inner'
      scatter: file
      in: {file: files}
      out: [tidy]
- class: Workflow
  id: inner
  inputs: {file: File}
  outputs:
    tidy: {type: File, outputSource: upper/out}
  steps:
    sort: {run: '#sort', in: {file: file}, out: [out]}
    upper: {run: '#upper', in: {file: sort/out}, out: [out]}
- class: CommandLineTool
  id: sort
  baseCommand: sort
  inputs: {file: {type: File, inputBinding: {}}}
  outputs: {out: stdout}
  stdout: $(inputs.file.basename)
- class: CommandLineTool
  id: upper
  baseCommand: [tr, a-z, A-Z]
  inputs: {file: File}
  stdin: $(inputs.file.path)
  outputs: {out: stdout}
  stdout: $(inputs.file.basename)
