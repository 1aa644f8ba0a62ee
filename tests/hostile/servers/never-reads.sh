# Behaves until it is called, then reads nothing more, while its client goes on talking.
on_call() { exec sleep 100000; }
. /polite.sh
