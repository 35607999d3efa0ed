cwlVersion: v1.0
class: CommandLineTool
id: inline-defaults
doc: A file and a directory that the document itself holds.
baseCommand: [sh, -c, 'cat "$0"; cd "$1"; find . -type f | sort']
inputs:
  file: {type: File, inputBinding: {position: 1}, default: {class: File, basename: f.txt, contents: "default\n"}}
  folder:
    type: Directory
    inputBinding: {position: 2}
    default:
      class: Directory
      basename: d
      listing:
        - {class: File, basename: x.txt, contents: x}
        - {class: Directory, basename: s, listing: [{class: File, basename: y.txt, contents: y}]}
outputs: {out: stdout}
stdout: out.txt
