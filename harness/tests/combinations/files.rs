//! Servers of others for the fleet's files, at the protocols' own ports.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::rows::Files;
use crate::space::{Port, Process};
use crate::{SERVER, Segment};

/// Starts it over the fleet's tree.
pub(crate) fn start(which: Files, segment: &Segment) -> Process {
    let (name, mut command, port) = match which {
        Files::TftpdHpa => ("in.tftpd", tftpd_hpa(segment), Port::Udp(69)),
        Files::Atftpd => ("atftpd", atftpd(segment), Port::Udp(69)),
        Files::Nginx => ("nginx", nginx(segment), Port::Tcp(80)),
        Files::Vsftpd => ("vsftpd", vsftpd(segment), Port::Tcp(21)),
    };
    let mut server = segment.server.start(name, &mut command);
    server.wait_port(port);
    server
}

fn tftpd_hpa(segment: &Segment) -> Command {
    let mut command = segment.server.command("in.tftpd");
    command.args([
        "--foreground",
        "--listen",
        "--address",
        &format!("{SERVER}:69"),
    ]);
    command
        .args(["--user", "root", "--secure"])
        .arg(segment.tree());
    command
}

fn atftpd(segment: &Segment) -> Command {
    let mut command = segment.server.command("atftpd");
    command.args(["--daemon", "--no-fork", "--user", "root", "--group", "root"]);
    command.args(["--bind-address", &SERVER.to_string(), "--port", "69"]);
    command.args(["--logfile", "-"]).arg(segment.tree());
    command
}

fn nginx(segment: &Segment) -> Command {
    let own = segment.own("nginx");
    let mut text = String::from("user root;\ndaemon off;\nmaster_process off;\n");
    text.push_str("pid pid;\nevents { }\nhttp {\naccess_log access.log;\n");
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        text.push_str(&format!("{kind}_temp_path {kind};\n"));
    }
    // A phone may ask with a query, and the file for that has it in its name.
    text.push_str(&format!(
        "server {{ listen {SERVER}:80; root \"{}\"; \
         location / {{ try_files \"$uri?$args\" $uri =404; }} }}\n}}\n",
        segment.tree().display()
    ));
    fs::write(own.join("nginx.conf"), text).expect("writable");
    let mut command = segment.server.command("nginx");
    command
        .arg("-p")
        .arg(&own)
        .args(["-c", "nginx.conf", "-e", "error.log"]);
    command
}

fn vsftpd(segment: &Segment) -> Command {
    let own = segment.own("vsftpd");
    // It wants a directory that nobody can write to.
    let empty = own.join("empty");
    fs::create_dir_all(&empty).expect("a directory");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o555)).expect("ours");
    let text = format!(
        "listen=YES\nbackground=NO\nlisten_address={SERVER}\nanonymous_enable=YES\n\
         local_enable=NO\nwrite_enable=NO\nftp_username=daemon\nxferlog_enable=NO\n\
         seccomp_sandbox=NO\nanon_root={}\nsecure_chroot_dir={}\n",
        segment.tree().display(),
        empty.display()
    );
    let file = own.join("vsftpd.conf");
    fs::write(&file, text).expect("writable");
    let mut command = segment.server.command("vsftpd");
    command.arg(&file);
    command
}
