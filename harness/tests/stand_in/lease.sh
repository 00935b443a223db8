#!/bin/sh
# What udhcpc runs at each event: the address goes to the interface, the rest to a file.
case $1 in
bound | renew)
    ip address replace "$ip/${mask:-24}" dev "$interface" valid_lft forever
    if [ -n "${router:-}" ]; then ip route replace default via "${router%% *}"; fi
    ip route replace 224.0.0.0/4 dev "$interface"
    cat >"$home/lease.new" <<END
leased_ip='$ip'
leased_66='$(echo "${tftp:-}" | tr -d "'")'
END
    mv "$home/lease.new" "$home/lease"
    ;;
deconfig)
    ip address flush dev "$interface"
    ip link set "$interface" up
    ;;
esac
