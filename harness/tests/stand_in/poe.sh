#!/bin/sh
# The power of a switch's ports for net-snmp's pass_persist: pethPsePortAdminEnable (column 3) and
# pethPsePortDetectionStatus (column 6) of RFC 3621, group 1. A port without power has no link.
base=.1.3.6.1.2.1.105.1.1.1

is_on() {
    [ "$(($(cat "/sys/class/net/port$1/flags") & 1))" = 1 ]
}

exists() {
    [ -e "/sys/class/net/port$1" ]
}

value() {
    case $1 in
    3) if is_on "$2"; then echo 1; else echo 2; fi ;;
    6) if is_on "$2"; then echo 3; else echo 1; fi ;;
    esac
}

# A cell's answer, or that there is none.
get() {
    column=$1 group=$2 port=$3
    if [ "$group" = 1 ] && exists "$port" && [ -n "$(value "$column" "$port")" ]; then
        printf '%s\ninteger\n%s\n' "$base.$column.1.$port" "$(value "$column" "$port")"
    else
        echo NONE
    fi
}

# The first cell behind the given one.
next() {
    for column in 3 6; do
        port=1
        while exists "$port"; do
            if [ "$((column * 1000000 + 10000 + port))" -gt "$(($1 * 1000000 + $2 * 10000 + $3))" ]
            then
                get "$column" 1 "$port"
                return
            fi
            port=$((port + 1))
        done
    done
    echo NONE
}

set_cell() {
    column=$1 group=$2 port=$3 type=$4 wanted=$5
    if [ "$column" != 3 ] || [ "$group" != 1 ] || ! exists "$port"; then
        echo not-writable
    elif [ "$type" != integer ]; then
        echo wrong-type
    else
        case $wanted in
        1) ip link set "port$port" up && echo DONE || echo commit-failed ;;
        2) ip link set "port$port" down && echo DONE || echo commit-failed ;;
        *) echo wrong-value ;;
        esac
    fi
}

while read -r verb; do
    case $verb in
    PING) echo PONG && continue ;;
    # net-snmp ends a set with an empty line.
    "") continue ;;
    esac
    read -r oid
    suffix=${oid#"$base"}
    cell=$(echo "${suffix#.}" | tr . ' ')
    set -- $cell
    case $verb in
    get) get "${1:-0}" "${2:-0}" "${3:-0}" ;;
    getnext) next "${1:-0}" "${2:-0}" "${3:-0}" ;;
    set)
        read -r type wanted
        set_cell "${1:-0}" "${2:-0}" "${3:-0}" "$type" "$wanted"
        ;;
    *) echo NONE ;;
    esac
done
