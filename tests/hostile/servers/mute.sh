# Neither reads nor answers, and ignores every signal it may ignore.
trap '' HUP INT QUIT TERM USR1 USR2 PIPE
while :; do sleep 1; done
