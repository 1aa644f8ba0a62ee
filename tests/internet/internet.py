"""The web servers of the tests' internet: HTTP on 80, HTTPS on 443, and a listener on every address that must hear nothing.

usage: internet.py FOLDER CERTIFICATE KEY LOG
Each request is a line in LOG: the address and port it came to, and what it asked for. `ready` is the first.
"""

import http.server
import socket
import ssl
import sys
import threading

folder, certificate, key, path = sys.argv[1:]
log = open(path, "a", buffering=1)


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args):
        super().__init__(*args, directory=folder)

    def log_message(self, *_):
        pass

    def parse_request(self):
        parsed = super().parse_request()
        if parsed:
            at = self.connection.getsockname()
            print(f"{at[0]}:{at[1]} {self.headers.get('Host')} {self.path}", file=log)
        return parsed


def serve(address, port, tls=None):
    server = http.server.ThreadingHTTPServer((address, port), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def listen(address, port):
    """Whoever comes here came too far."""
    listener = socket.create_server((address, port))

    def accept():
        while True:
            client, _ = listener.accept()
            print(f"{address}:{port} A CONNECTION", file=log)
            client.close()

    threading.Thread(target=accept, daemon=True).start()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
for address in ("203.0.113.10", "203.0.113.20"):
    serve(address, 80)
    serve(address, 443, context)
for address, port in (("169.254.169.254", 80), ("127.0.0.1", 80), ("10.9.8.7", 80), ("203.0.113.10", 22)):
    listen(address, port)
print("ready", file=log)
threading.Event().wait()
