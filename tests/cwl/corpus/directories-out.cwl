cwlVersion: v1.2
class: CommandLineTool
id: directories-out
doc: Several directories, one of them empty, nested ones too.
baseCommand: [sh, -c, 'mkdir -p a/b/c d; echo 1 > a/one.txt; echo 2 > a/b/c/two.txt']
inputs: {}
outputs:
  all: {type: 'Directory[]', outputBinding: {glob: '[a-z]'}}
