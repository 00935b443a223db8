#!/bin/sh
# What the handset does from power on until it rests, and at each check-sync: a lease by udhcpc,
# the files by curl, the account by sipp, in the order of the vendor's guide.
set -u
here=$(dirname "$0")
home=$1
interface=$2
export home interface

# The web page: what a user may have set there.
model=FIP13G
firmware=V0.6.24
boot_s=0.5
random_delay_s=1
period_s=3600
vendor_class=stand-in
pnp=0
# How this handset differs from the guide; nothing, unless it is one that must be found out.
deviation=none
. "$home/page"

mac=$(tr -d : <"/sys/class/net/$interface/address")
colons=$(tr a-f A-F <"/sys/class/net/$interface/address")
ram=$home/ram

say() {
    echo "$*"
}

lease() {
    rm -f "$home/lease"
    # Options 1, 3, 6, 12, 15, 28 and 42 it asks for by itself.
    busybox udhcpc -f -i "$interface" -s "$here/lease.sh" -V "$vendor_class" -O 66 \
        >"$ram/udhcpc.log" 2>&1 &
    udhcpc=$!
    until [ -e "$home/lease" ]; do sleep 0.02; done
    . "$home/lease"
    say "leased $leased_ip, option 66 is $leased_66"
}

# A bare address means TFTP there, and what does not end in a file's name is a directory.
base_of() {
    case $1 in
    *://*/) echo "$1" ;;
    *://*) echo "$1/" ;;
    *) echo "tftp://$1/" ;;
    esac
}

# Fetches a URL into a file of the memory; between two requests it pauses (FLY-72), for as long as
# these programs do not take to start.
fetch() {
    sleep 0.155
    set -- "$(echo "$1" | sed 's/ /%20/g')" "$2"
    options=
    if [ "$deviation" = options ]; then options=--tftp-no-options; fi
    # curl takes a third of its patience for the time between two tries: 3 s.
    curl -sS -f --connect-timeout 9 $options -A "Flyingvoice $model $firmware $colons" \
        -o "$ram/$2" "$1" 2>"$ram/curl.log"
    status=$?
    say "fetched $1: $status"
    return $status
}

# The settings of a file are laid over those before.
apply() {
    grep -v '^#' "$ram/$1" >>"$ram/settings"
}

# The files that a boot file includes, in its order.
includes() {
    sed -n 's/^include:config[[:space:]]*[<"]\(.*\)[>"][[:space:]]*$/\1/p' "$ram/$1" |
        while read -r name; do
            case $name in
            *.boot | */) continue ;;
            *://*) url=$name ;;
            *) url=$base$name ;;
            esac
            url=$(echo "$url" | sed "s/\$(MA)/$mac/g")
            if fetch "$url" include; then apply include; fi
        done
}

common_and_own() {
    if fetch "${base}y000000000000.cfg" common; then apply common; fi
    if [ "$deviation" != no-own-file ] && fetch "$base$mac.cfg" own; then apply own; fi
}

# The resources that the settings name, behind all settings files.
resources() {
    for key in local_contact.data.url remote_phonebook.data.url; do
        url=$(setting "$key")
        if [ -n "$url" ]; then fetch "$url" resource; fi
    done
}

# Asks for a URL by multicast; says it, if somebody answered. It listens for more answers for five
# seconds (FLY-51), and takes the first.
by_multicast() {
    rm -f "$ram/urls"
    TERM=dumb sipp -sf "$here/subscribe.xml" -m 1 -nostdin -i "$leased_ip" \
        -p "$((50000 + $$ % 10000))" -cid_str "$(date +%s)-$mac@%s" -key mac "$mac" \
        -key colons "$colons" -key agent "Flyingvoice $model $firmware" -key model "$model" \
        -key firmware "$firmware" -trace_logs -log_file "$ram/urls" 224.0.1.75:5060 \
        >"$ram/sipp.log" 2>&1
    if [ -s "$ram/urls" ]; then
        sleep 4.75
        head -n 1 "$ram/urls"
    fi
}

provision() {
    : >"$ram/settings"
    if [ "$pnp" = 1 ]; then
        url=$(by_multicast)
        if [ -n "$url" ] && fetch "$url" own; then
            apply own
            resources
            say "provisioned"
            return
        fi
    fi
    if [ -z "$leased_66" ]; then
        say "no server"
        return
    fi
    base=$(base_of "$leased_66")
    if [ "$deviation" = common-first ] && fetch "${base}y000000000000.cfg" common; then
        apply common
    fi
    if fetch "$base$mac" own; then
        apply own
    elif fetch "$base$mac.boot" boot; then
        includes boot
    elif fetch "${base}y000000000000.boot" boot; then
        includes boot
    else
        common_and_own
    fi
    resources
    say "provisioned"
}

setting() {
    sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$ram/settings" | tail -n 1 | tr -d '\r'
}

address_of() {
    known=$(awk -v name="$1" '$2 == name { print $1; exit }' "$home/hosts")
    echo "${known:-$1}"
}

# sipp, bound to the phone's own address and port.
sip() {
    scenario=$1
    shift
    TERM=dumb sipp -sf "$here/$scenario" -m 1 -nostdin -i "$leased_ip" -p 5060 \
        -key mac "$colons" -key agent "Flyingvoice $model $firmware" "$@" >"$ram/sipp.log" 2>&1
}

md5() {
    printf %s "$1" | md5sum | cut -d ' ' -f 1
}

# A parameter of a challenge.
parameter() {
    echo "$challenge" | sed -n "s/.*[ ,]$1=\"\{0,1\}\([^\",]*\).*/\1/p"
}

# The answer to the one challenge that a phone of this age understands (RFC 2617 §3.2.2).
answer() {
    challenge=$(tr -d '\r' <"$ram/challenge" | grep -i '^WWW-Authenticate:' |
        grep -v 'algorithm=SHA' | head -n 1)
    realm=$(parameter realm) nonce=$(parameter nonce) uri=sip:$host
    own=$(md5 "$auth:$realm:$(setting account.1.password)")
    asked=$(md5 "REGISTER:$uri")
    proof=$(md5 "$own:$nonce:00000001:$mac:auth:$asked")
    printf 'Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", ' \
        "$auth" "$realm" "$nonce" "$uri" "$proof"
    printf 'algorithm=MD5, qop=auth, nc=00000001, cnonce="%s"' "$mac"
}

register() {
    user=$(setting account.1.user_name)
    auth=$(setting account.1.auth_name)
    host=$(setting account.1.sip_server_host)
    port=$(setting account.1.sip_server_port)
    if [ "$(setting account.1.enable)" != 1 ] || [ -z "$user" ] || [ -z "$host" ]; then
        say "no account"
        return
    fi
    rm -f "$ram/challenge"
    registrar=$(address_of "$host"):${port:-5060}
    call=$(date +%s)-$mac
    set -- "$registrar" -s "$user" -key domain "$host" -key tag "$call" -cid_str "$call@%s" \
        -timeout 10 -timeout_error
    sip register.xml "$@" -trace_logs -log_file "$ram/challenge"
    status=$?
    if [ "$status" = 0 ] && [ -s "$ram/challenge" ]; then
        sip prove.xml "$@" -key authorization "$(answer)"
        status=$?
    fi
    say "registered $user: $status"
}

# Waits for a check-sync or the end of the period, and says which it was.
rest() {
    rm -f "$ram/event"
    sip notify.xml -timeout "$period_s" -trace_logs -log_file "$ram/event"
    case $(cat "$ram/event" 2>/dev/null) in
    *check-sync*reboot=true*) echo reboot ;;
    *check-sync*) echo resync ;;
    *) echo period ;;
    esac
}

rm -rf "$ram"
mkdir "$ram"
say "boots"
sleep "$boot_s"
lease
sleep "$random_delay_s"
while :; do
    provision
    register
    said=$(rest)
    say "woken by $said"
    if [ "$said" = reboot ]; then
        kill "$udhcpc"
        wait "$udhcpc" 2>/dev/null
        ip address flush dev "$interface"
        exec sh "$0" "$home" "$interface"
    fi
done
