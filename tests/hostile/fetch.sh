# What a Dockerfile's command may fetch, and what it may not. The test puts PORT and STRANGE before it.
printf 'GET /wanted HTTP/1.0\r\n\r\n' | nc -w 3 127.0.0.1 $PORT | tail -n 1 >/direct
printf 'GET http://127.0.0.1:%s/wanted HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' $PORT $PORT |
    nc -w 3 127.0.0.1 3128 | tail -n 1 >/proxied
printf 'CONNECT 127.0.0.1:%s HTTP/1.1\r\n\r\n' $STRANGE | nc -w 3 127.0.0.1 3128 | head -n 1 >/strange
printf 'CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n' | nc -w 3 127.0.0.1 3128 | head -n 1 >/metadata
ip addr | grep -c mtu >/links
