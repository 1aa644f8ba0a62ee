# What a package's install script, or a Dockerfile's command, would look for: a word that the test has hidden in the
# user's files, in the variables of Caisson and in the secret of another server; sockets of engines; and whoever can
# be reached. What it finds stands on standard output. The test puts PORT, ADDRESSES and WORD (in two halves) before it.
word=$WORD1$WORD2
echo "== variables"
env | sort
echo "== the word"
find / \( -path /proc -o -path /sys -o -path /usr \) -prune -o -type f -exec grep -lsF "$word" {} + 2>/dev/null
for process in /proc/[0-9]*; do
    tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -F "$word" && echo "in $process"
    tr '\0' '\n' <"$process/cmdline" 2>/dev/null | grep -F "$word" && echo "in $process"
done
echo "== sockets"
find / -xdev -type s 2>/dev/null
for socket in /var/run/docker.sock /run/podman/podman.sock /run/user/*/podman/podman.sock /caisson-pipe/sock; do
    [ -e "$socket" ] && echo "$socket"
done
echo "== reached"
for address in $ADDRESSES; do
    if command -v bash >/dev/null; then
        timeout 2 bash -c "exec 3<>/dev/tcp/$address/$PORT && echo 'REACHED $address'" 2>/dev/null
        timeout 4 bash -c "exec 3<>/dev/tcp/127.0.0.1/3128 && printf 'CONNECT $address:$PORT HTTP/1.1\r\n\r\n' >&3 && head -n 1 <&3" 2>/dev/null |
            grep ' 200' && echo "REACHED $address by the proxy"
    else
        nc -w 2 "$address" "$PORT" </dev/null 2>/dev/null && echo "REACHED $address"
        printf 'CONNECT %s HTTP/1.1\r\n\r\n' "$address:$PORT" | timeout 4 nc 127.0.0.1 3128 2>/dev/null | head -n 1 |
            grep ' 200' && echo "REACHED $address by the proxy"
    fi
done
echo "== end"
