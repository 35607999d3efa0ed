cwlVersion: v1.1
class: CommandLineTool
id: directory
doc: A directory in, by an index page; its listing by expression; a directory out.
requirements:
  InlineJavascriptRequirement: {}
  LoadListingRequirement: {loadListing: shallow_listing}
baseCommand: [sh, -c, 'cp -r "$1" made && chmod -R u+w made && echo more > made/more.txt && (cd "$1" && find . -type f | sort)', sh]
inputs:
  folder: {type: Directory, inputBinding: {position: 1}}
stdout: found.txt
outputs:
  found: stdout
  made: {type: Directory, outputBinding: {glob: made}}
  names:
    type: string[]
    outputBinding:
      outputEval: '${return inputs.folder.listing.map(function (f) {return f.basename;}).sort();}'
