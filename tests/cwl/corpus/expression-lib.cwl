cwlVersion: v1.1
class: CommandLineTool
id: expression-lib
requirements:
  InlineJavascriptRequirement:
    expressionLib:
      - 'function twice(x) { return 2 * x; }'
      - |
        var greeting = "hello";
        function greet(who) { return greeting + ", " + who; }
baseCommand: echo
arguments: [$(twice(inputs.number)), '${ return greet("you"); }', 'at $(twice(1)) and $(twice(2))', "\\$(not this)"]
inputs:
  number: int
outputs:
  line: stdout
stdout: line.txt
