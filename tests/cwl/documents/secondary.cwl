cwlVersion: v1.2
class: CommandLineTool
id: secondary
baseCommand: ls
requirements:
  InitialWorkDirRequirement: {listing: [{entryname: run.sh, entry: "echo $(inputs.shape.basename)"}]}
  ShellCommandRequirement: {}
  EnvVarRequirement: {envDef: {A: b}}
  ToolTimeLimit: {timelimit: 60}
inputs: {shape: {type: File, secondaryFiles: [".dbf", ".shx?"]}}
outputs: {copy: {type: File, secondaryFiles: [^.dbf], outputBinding: {glob: x.shp}}}
