cwlVersion: v1.2
class: ExpressionTool
id: directory-deep
requirements: {InlineJavascriptRequirement: {}}
inputs:
  folder: {type: Directory, loadListing: deep_listing}
outputs:
  count: int
  kind: string
expression: |
  ${
    function count(d) {
      return d.listing.reduce(function (n, f) {return n + (f["class"] === "File" ? 1 : count(f));}, 0);
    }
    return {count: count(inputs.folder), kind: inputs.folder["class"]};
  }
