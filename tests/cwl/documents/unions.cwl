cwlVersion: v1.2
class: CommandLineTool
id: unions
baseCommand: echo
inputs:
  text_or_number: [string, int]
  numbers: [int, float, "null"]
  file_or_text: [File, string]
  one_or_many: [File, "File[]"]
  file_or_folder: [File, Directory]
  nothing: "null"
outputs: []
