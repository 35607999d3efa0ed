cwlVersion: v1.0
class: CommandLineTool
id: secondary
doc: Files beside a file, by both patterns, in and out.
baseCommand: [sh, -c]
arguments:
  - position: 0
    valueFrom: 'cat scene.tif scene.tif.ovr scene.prj && cp scene.tif out.tif && cp scene.tif.ovr out.tif.ovr && echo new > out.prj'
requirements:
  InitialWorkDirRequirement: {listing: [$(inputs.scene)]}
inputs:
  scene: {type: File, secondaryFiles: [.ovr, ^.prj]}
stdout: all.txt
outputs:
  all: stdout
  made: {type: File, secondaryFiles: [.ovr, ^.prj], outputBinding: {glob: out.tif}}
