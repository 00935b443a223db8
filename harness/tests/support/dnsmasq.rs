//! dnsmasq as every test wants it.

/// In the foreground, with no settings of this machine's, telling what it does, no DNS server.
pub(crate) const BARE: [&str; 6] = [
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--pid-file=",
    "--log-facility=-",
    "--port=0",
    "--user=root",
];
