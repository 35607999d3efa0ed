cwlVersion: v1.0
class: ExpressionTool
id: expression-tool
doc: Files and directories made of literals by an expression alone.
requirements: {InlineJavascriptRequirement: {}}
inputs:
  text: string
  number: {type: File, inputBinding: {loadContents: true}}
outputs:
  note: File
  folder: Directory
  doubled: int
expression: |
  ${
    var file = {"class": "File", "basename": "note.txt", "contents": inputs.text + "\n"};
    return {
      note: file,
      folder: {"class": "Directory", "basename": "made", "listing": [
        {"class": "File", "basename": "b.txt", "contents": "b"},
        {"class": "Directory", "basename": "in", "listing": [{"class": "File", "basename": "c.txt", "contents": "c"}]}
      ]},
      doubled: 2 * parseInt(inputs.number.contents)
    };
  }
