cwlVersion: v1.0
class: Workflow
id: environment
doc: A step's requirement is stronger than that of the workflow, and that than the tool's hint.
requirements:
  EnvVarRequirement: {envDef: {OUTER: outer, BOTH: outer, GIVEN: $(inputs.given)}}
inputs: {given: string}
outputs:
  said: {type: File, outputSource: say/said}
steps:
  say:
    requirements:
      EnvVarRequirement:
        envDef:
          - {envName: BOTH, envValue: step}
          - {envName: GIVEN, envValue: $(inputs.given)}
    run:
      class: CommandLineTool
      hints: {EnvVarRequirement: {envDef: {OUTER: hint, BOTH: hint}}}
      baseCommand: [sh, -c, 'echo "$BOTH $GIVEN"; test "$HOME" = "$PWD" && test -w "$TMPDIR" && echo at home']
      inputs: {given: string}
      outputs: {said: stdout}
      stdout: said.txt
    in: {given: given}
    out: [said]
