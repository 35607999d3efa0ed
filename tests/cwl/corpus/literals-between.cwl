cwlVersion: v1.1
class: Workflow
id: literals-between
doc: A file literal of an expression becomes the input of a tool; a directory of one step that of the next.
requirements: {InlineJavascriptRequirement: {}}
inputs: {text: string}
outputs:
  listing: {type: File, outputSource: list/names}
  tree: {type: Directory, outputSource: make/tree}
steps:
  write:
    run:
      class: ExpressionTool
      inputs: {text: string}
      outputs: {file: File, folder: Directory}
      expression: |
        ${
          var file = {"class": "File", "basename": "in.txt", "contents": inputs.text};
          return {file: file, folder: {"class": "Directory", "basename": "lit", "listing": [file]}};
        }
    in: {text: text}
    out: [file, folder]
  make:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'mkdir -p tree/sub; cat "$1" > tree/sub/copy.txt; cat "$2"/in.txt > tree/second.txt', sh]
      inputs: {file: {type: File, inputBinding: {position: 1}}, folder: {type: Directory, inputBinding: {position: 2}}}
      outputs: {tree: {type: Directory, outputBinding: {glob: tree}}}
    in: {file: write/file, folder: write/folder}
    out: [tree]
  list:
    run:
      class: CommandLineTool
      baseCommand: [sh, -c, 'cd "$1"; find . -type f | sort', sh]
      inputs: {tree: {type: Directory, inputBinding: {}}}
      outputs: {names: {type: stdout}}
      stdout: names.txt
    in: {tree: make/tree}
    out: [names]
