cwlVersion: v1.2
class: CommandLineTool
id: secondary-optional
doc: A file beside a file that need not be there, in all spellings.
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [sh, -c, 'ls "$(dirname "$1")"; touch made.txt made.txt.md5', sh]
inputs:
  scene:
    type: File
    inputBinding: {}
    secondaryFiles: [.ovr?, .absent?, {pattern: ^.prj, required: true}, {pattern: .never, required: false}]
stdout: seen.txt
outputs:
  seen: stdout
  made:
    type: File
    outputBinding: {glob: made.txt}
    secondaryFiles: [.md5, .absent?, {pattern: .gone, required: $(false)}]
