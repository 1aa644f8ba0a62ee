# Answers that never come to an end, each kind on its own call.
on_call() {
    case $line in
    *'"line"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"' "$number"; yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | tr -d '\n' ;;
    *'"nested"'*) printf '{"jsonrpc":"2.0","id":%s,"result":' "$number"; head -c 8000000 /dev/zero | tr '\0' '['; echo '}' ;;
    *'"many"'*) yes "{\"jsonrpc\":\"2.0\",\"id\":$number,\"result\":{\"content\":[]}}" ;;
    *'"progress"'*) yes '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}' ;;
    *'"log"'*) yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx | tr -d '\n' >&2 ;;
    *'"drip"'*) while :; do printf ' '; sleep 0.05; done ;;
    esac
}
. /polite.sh
