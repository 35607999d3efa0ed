cwlVersion: v1.1
$graph:
- class: Workflow
  id: schemadef-file
  doc: A record of a declared type whose field is a file, with a file beside it.
  requirements:
    SchemaDefRequirement:
      types:
        - name: scene
          type: record
          fields:
            image: {type: File, secondaryFiles: [^.prj]}
            tag: string?
  inputs:
    scene: {type: '#schemadef-file/scene'}
  outputs:
    both: {type: File, outputSource: read/both}
  steps:
    read:
      run: '#read'
      in: {scene: scene}
      out: [both]
- class: CommandLineTool
  id: read
  requirements:
    SchemaDefRequirement:
      types:
        - name: '#schemadef-file/scene'
          type: record
          fields:
            image: {type: File, secondaryFiles: [^.prj]}
            tag: string?
  baseCommand: [sh, -c, 'cat "$1" "${1%.tif}.prj"; ls -l "$1" | cut -c1', sh]
  arguments: [$(inputs.scene.image.path)]
  inputs:
    scene: '#schemadef-file/scene'
  outputs: {both: stdout}
  stdout: both.txt
