cwlVersion: v1.0
class: CommandLineTool
id: output-json
doc: A tool that says itself what its outputs are.
baseCommand: [sh, -c]
arguments:
  - |
    echo made > made.txt
    echo '{"file": {"class": "File", "path": "made.txt"}, "number": 5, "list": ["a"], "folder": null}' > cwl.output.json
inputs: {}
outputs:
  file: File
  number: int
  list: string[]
  folder: Directory?
