# A thousand processes, where the plan allows 256.
i=0
while [ $i -lt 1000 ]; do sleep 1000 & i=$((i + 1)); done 2>/dev/null
. /polite.sh
