# Notifications without end, and no answer.
yes '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
