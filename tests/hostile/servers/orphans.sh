# Leaves processes behind whose parent is gone, in sessions of their own, that ignore being asked to end. Its first
# argument marks them.
for i in 1 2 3; do
    (setsid sh -c "trap '' HUP INT TERM; (setsid sh -c \"trap '' HUP INT TERM; sleep $1; sleep $1\" &)" &)
done >/dev/null 2>&1 </dev/null
. /polite.sh
