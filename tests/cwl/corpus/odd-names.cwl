cwlVersion: v1.2
class: Workflow
id: odd-names
doc: Names that need care in addresses and on command lines, given, made, and passed on.
inputs: {file: File, folder: Directory}
outputs:
  made: {type: 'File[]', outputSource: make/files}
  joined: {type: File, outputSource: join/out}
  folder: {type: Directory, outputSource: make/folder}
steps:
  make:
    in: {}
    out: [files, folder]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'for name in "a b" "c#d" "e:f" "g%20h" "q?x" "[z]" "-dash"; do echo "$name" > "./$name.txt"; done; mkdir "d #1"; echo x > "d #1/y %41.txt"']
      inputs: {}
      outputs:
        files: {type: 'File[]', outputBinding: {glob: '*.txt'}}
        folder: {type: Directory, outputBinding: {glob: 'd #1'}}
  join:
    in: {files: make/files, folder: make/folder, file: file, given: folder}
    out: [out]
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'basename "$1"; ls "$2"; ls "$0"; shift 2; cat -- "$@" | sort']
      inputs:
        folder: {type: Directory, inputBinding: {position: 0}}
        file: {type: File, inputBinding: {position: 1}}
        given: {type: Directory, inputBinding: {position: 2}}
        files: {type: 'File[]', inputBinding: {position: 3}}
      outputs: {out: stdout}
      stdout: out.txt
