echo the reason is a missing key >&2; exit 7
