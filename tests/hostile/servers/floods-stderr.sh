# A log without end, beside a server that behaves.
yes a line of nonsense >&2 &
. /polite.sh
