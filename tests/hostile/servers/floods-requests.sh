# Asks without end, and does not read what it is answered.
yes '{"jsonrpc":"2.0","id":1,"method":"ping"}'
