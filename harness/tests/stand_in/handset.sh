#!/bin/sh
# A handset made of programs that nobody here wrote. It is on while its Ethernet port has a link,
# as a handset with power over Ethernet is, and loses all but its flash when the link goes.
#
#   handset.sh DIRECTORY    DIRECTORY/page is its web page, DIRECTORY/hosts the names it knows
set -u
here=$(dirname "$0")
home=$1
interface=eth0
running=

linked() {
    [ "$(cat "/sys/class/net/$interface/carrier" 2>/dev/null)" = 1 ]
}

# All that the handset runs is one session, so that nothing of it outlives the power.
lose_power() {
    if [ -n "$running" ]; then
        echo "power lost"
        kill -s KILL -- "-$running" 2>/dev/null
        wait "$running" 2>/dev/null
        running=
    fi
    ip address flush dev "$interface"
}

trap 'lose_power; exit 0' TERM INT
ip address flush dev "$interface"
while :; do
    if linked; then
        if [ -z "$running" ]; then
            echo "power on"
            setsid sh "$here/boot.sh" "$home" "$interface" &
            running=$!
        fi
    elif [ -n "$running" ]; then
        lose_power
    fi
    sleep 0.05
done
