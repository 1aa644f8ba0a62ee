# What a server that behaves says, one line for each it reads. Before this is read, a server may say what it does on a
# call, `on_call`, and what it then answers, `$answer`; and what it calls itself and its tool.
answer=${answer:-hello}
command -v on_call >/dev/null || on_call() { :; }
id() { echo "$1" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p'; }
while read -r line; do
    case $line in
    *'"initialize"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$(id "$line"),\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"${title:-shell}\",\"version\":\"1\"}}}" ;;
    *'"tools/list"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$(id "$line"),\"result\":{\"tools\":[{\"name\":\"${tool:-hello}\",\"inputSchema\":{\"type\":\"object\"}}]}}" ;;
    *'"tools/call"'*) number=$(id "$line"); on_call; echo "{\"jsonrpc\":\"2.0\",\"id\":$number,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"$answer\"}]}}" ;;
    esac
done
