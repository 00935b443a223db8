//! Time, accounts and discovery by programs of others.

use std::fs;

use crate::rows::Other;
use crate::space::{Port, Process};
use crate::{RESPONDER, SERVER, Segment};

/// Starts it, where it belongs.
pub(crate) fn start(which: Other, segment: &Segment) -> Vec<Process> {
    match which {
        Other::Chrony => vec![chrony(segment)],
        Other::Kamailio => vec![kamailio(segment)],
        Other::Sipp => sipp(segment),
        Other::Avahi => vec![avahi(segment)],
    }
}

/// A time server that sets no clock of this machine.
fn chrony(segment: &Segment) -> Process {
    let own = segment.own("chrony");
    let text = format!(
        "bindaddress {SERVER}\nallow all\nlocal stratum 5\ncmdport 0\nbindcmdaddress /\n\
         pidfile {}\n",
        own.join("pid").display()
    );
    let file = own.join("chrony.conf");
    fs::write(&file, text).expect("writable");
    let mut command = segment.server.command("chronyd");
    command
        .args(["-d", "-x", "-U", "-u", "root", "-f"])
        .arg(&file);
    let mut server = segment.server.start("chrony", &mut command);
    server.wait_port(Port::Udp(123));
    server
}

/// A registrar that wants the one password of all accounts, by Digest.
fn kamailio(segment: &Segment) -> Process {
    let own = segment.own("kamailio");
    let mut text = format!(
        "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren=2\ndisable_tcp=yes\n\
         auto_aliases=no\nlisten=udp:{SERVER}:5060\n"
    );
    for module in ["kex", "pv", "sl", "xlog", "auth", "usrloc", "registrar"] {
        text.push_str(&format!("loadmodule \"{module}.so\"\n"));
    }
    text.push_str(
        "modparam(\"usrloc\", \"db_mode\", 0)\n\
         request_route {\n\
         if (method != \"REGISTER\") { sl_send_reply(\"405\", \"Method Not Allowed\"); exit; }\n\
         if (!pv_www_authenticate(\"$td\", \"hush\", \"0\")) {\n\
         www_challenge(\"$td\", \"1\"); exit; }\n\
         if (save(\"location\")) { xlog(\"L_WARN\", \"has registered $fU\\n\"); }\n\
         }\n",
    );
    let file = own.join("kamailio.cfg");
    fs::write(&file, text).expect("writable");
    let mut command = segment.server.command("kamailio");
    command
        .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
        .arg(&file);
    command.arg("-Y").arg(&own).arg("-w").arg(&own);
    command.arg("-P").arg(own.join("pid"));
    let mut server = segment.server.start("kamailio", &mut command);
    server.wait_port(Port::Udp(5_060));
    server
}

/// SIPp at the port that SUBSCRIBEs go to, and socat, which joins their group for it.
fn sipp(segment: &Segment) -> Vec<Process> {
    let own = segment.own("sipp");
    // It puts into the URL what the phone called itself.
    let phone = segment.plan.phone(0).expect("a phone");
    let url = segment.plan.pnp_url(&phone).expect("found so");
    let mac = phone
        .identity
        .mac
        .to_string()
        .replace(':', "")
        .to_lowercase();
    let url = url.replace(&mac, "[$mac]");
    let text = include_str!("../real_servers/pnp.xml")
        .replace("127.0.0.1", &RESPONDER.to_string())
        .replace("URL]]", &format!("{url}]]"));
    let file = own.join("pnp.xml");
    fs::write(&file, text).expect("writable");
    let mut command = segment.responder.command("socat");
    let join = format!("UDP4-RECV:5070,ip-add-membership=224.0.1.75:{RESPONDER}");
    let mut joined = segment
        .responder
        .start("socat", command.args(["-u", &join, "OPEN:/dev/null"]));
    joined.wait_port(Port::Udp(5_070));
    let mut command = segment.responder.command("sipp");
    command.current_dir(&own).env("TERM", "dumb");
    command
        .args(["-nostdin", "-trace_err", "-p", "5060", "-sf"])
        .arg(&file);
    let mut server = segment.responder.start("sipp", &mut command);
    server.wait_port(Port::Udp(5_060));
    vec![joined, server]
}

/// avahi with one service: the directory of the phones' files.
fn avahi(segment: &Segment) -> Process {
    let own = segment.own("avahi");
    let phone = segment.plan.phone(0).expect("a phone");
    let url = segment.plan.found_text(&phone);
    let services = own.join("services");
    fs::create_dir_all(&services).expect("a directory");
    let text = format!(
        "<service-group><name>files</name><service><type>_provisioning._tcp</type>\
         <port>80</port><txt-record>url={url}</txt-record></service></service-group>\n"
    );
    fs::write(services.join("files.service"), text).expect("writable");
    let text = "[server]\nhost-name=provisioning\nuse-ipv6=no\nallow-interfaces=eth0\n\
                enable-dbus=no\n[rlimits]\n";
    fs::write(own.join("avahi-daemon.conf"), text).expect("writable");
    // It has fixed places for its services and for its socket: others are put over them in the
    // namespace of mounts that `ip netns exec` made for this command alone.
    let mut command = segment.server.command("sh");
    let script = "mount --bind \"$0\" /etc/avahi && mount -t tmpfs tmpfs /run && \
                  exec avahi-daemon --no-drop-root --no-chroot --no-rlimits --debug";
    let mut server = segment
        .server
        .start("avahi", command.args(["-c", script]).arg(&own));
    server.wait_text("successfully established");
    server
}
