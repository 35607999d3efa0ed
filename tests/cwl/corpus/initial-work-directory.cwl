cwlVersion: v1.2
class: CommandLineTool
id: initial-work-directory
doc: A directory that the tool may change, an empty one, and one of literals.
requirements:
  InlineJavascriptRequirement: {}
  InitialWorkDirRequirement:
    listing:
      - {entry: $(inputs.folder), entryname: changed, writable: true}
      - {entry: '$({"class": "Directory", "listing": []})', entryname: empty, writable: true}
      - entryname: made
        entry: '$({"class": "Directory", "listing": [{"class": "File", "basename": "l.txt", "contents": "literal\n"}]})'
baseCommand: [sh, -c, 'echo x > changed/new.txt; rm changed/note.txt; echo y > empty/file; cat made/l.txt']
inputs:
  folder: Directory
stdout: out.txt
outputs:
  out: stdout
  changed: {type: Directory, outputBinding: {glob: changed}}
  empty: {type: Directory, outputBinding: {glob: empty}}
