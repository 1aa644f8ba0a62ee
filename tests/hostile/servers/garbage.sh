# Prints what is no message, with escapes for the terminal it hopes for, before it behaves.
echo 'Starting server v1...'
printf '\033]0;owned\007\377\376 {broken\n'
. /polite.sh
