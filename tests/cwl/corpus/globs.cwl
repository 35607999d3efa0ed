cwlVersion: v1.0
class: CommandLineTool
id: globs
requirements: {InlineJavascriptRequirement: {}}
baseCommand: [touch, z.txt, a.txt, m.dat, n.log]
inputs: {}
outputs:
  listed: {type: 'File[]', outputBinding: {glob: ['*.txt', n.log]}}
  named: {type: 'File[]', outputBinding: {glob: '$(["m.dat", "a.txt"])'}}
  none: {type: 'File[]', outputBinding: {glob: '*.none'}}
  absent: {type: 'File?', outputBinding: {glob: absent}}
  count: {type: int, outputBinding: {glob: '*', outputEval: $(self.length)}}
