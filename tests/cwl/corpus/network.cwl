cwlVersion: v1.1
class: CommandLineTool
id: network
doc: There is a proxy for a tool that asks for the network, and no interface but loopback either way.
requirements: {NetworkAccess: {networkAccess: $(inputs.open)}}
baseCommand: [sh, -c, 'grep -v "lo:" /proc/net/dev | grep ":" && exit 1; test "$http_proxy" && echo open || echo closed']
inputs: {open: boolean}
outputs: {said: stdout}
stdout: said.txt
