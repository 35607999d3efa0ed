cwlVersion: v1.1
class: CommandLineTool
id: network
doc: The loopback of the tool is its own unless it asks for the network.
requirements: {NetworkAccess: {networkAccess: $(inputs.open)}}
baseCommand: [sh, -c, 'cat /proc/net/dev | grep -v "lo:" | grep -c ":" > count; test "$(cat count)" -gt 0 && echo open || echo closed']
inputs: {open: boolean}
outputs: {said: stdout}
stdout: said.txt
