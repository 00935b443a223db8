//! Servers that nobody here wrote, on loopback ports that the kernel chose.

#[path = "dnsmasq.rs"]
mod dnsmasq;

use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use crate::program::{Started, until};
use crate::tool::{not_run, tool};
use dnsmasq::BARE;

/// Longest time that a server takes to answer first.
const READY: Duration = Duration::from_secs(10);
/// Other programs may take a port between its choice and its use.
const TRIES: u32 = 5;

/// A running server; dropping it ends it.
pub(crate) struct Server {
    started: Started,
    /// Its port at 127.0.0.1.
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server at a free port and waits until it answers.
    pub(crate) fn start(
        free: fn() -> u16,
        command: impl Fn(u16) -> Command,
        answers: fn(u16) -> bool,
    ) -> Option<Self> {
        for _ in 0..TRIES {
            let port = free();
            let mut started = Started::new(&mut command(port));
            let mut dead = false;
            let ready = until(READY, || {
                dead = !matches!(started.child.try_wait(), Ok(None));
                dead || answers(port)
            });
            if ready && !dead {
                return Some(Self { started, port });
            }
        }
        None
    }

    /// Ends it now.
    pub(crate) fn end(self) {
        drop(self.started);
    }
}

pub(crate) fn is_root() -> bool {
    let told = Command::new("id").arg("-u").output().expect("id");
    told.stdout.trim_ascii() == b"0"
}

/// tftpd-hpa over a directory.
pub(crate) fn tftpd_hpa(directory: &Path) -> Option<Server> {
    let program = tool("in.tftpd", "tftpd-hpa")?;
    if !is_root() {
        // It changes its user and confines itself to the directory at each request.
        not_run("root, for tftpd-hpa");
        return None;
    }
    let command = |port: u16| {
        let mut command = Command::new(&program);
        command
            .args(["--foreground", "--listen", "--address"])
            .arg(format!("127.0.0.1:{port}"))
            .args(["--user", "root", "--secure"])
            .arg(directory);
        command
    };
    let server = Server::start(free_udp_port, command, tftp_answers);
    assert!(server.is_some(), "in.tftpd does not answer");
    server
}

/// dnsmasq as TFTP server over a directory, at the one port that it can use, 69.
pub(crate) fn dnsmasq(directory: &Path) -> Option<Server> {
    dnsmasq_with(directory, &["--tftp-max=1000"])
}

/// The same with options of its own.
pub(crate) fn dnsmasq_with(directory: &Path, further: &[&str]) -> Option<Server> {
    let program = tool("dnsmasq", "dnsmasq-base")?;
    if UdpSocket::bind((Ipv4Addr::LOCALHOST, 69)).is_err() {
        not_run("UDP port 69 of 127.0.0.1 free and root, for dnsmasq");
        return None;
    }
    let command = |_| {
        let mut command = Command::new(&program);
        let root = format!("--tftp-root={}", directory.display());
        command.args(BARE).args([
            "--listen-address=127.0.0.1",
            "--bind-interfaces",
            "--enable-tftp",
            &root,
        ]);
        command.args(further);
        command
    };
    let server = Server::start(|| 69, command, tftp_answers);
    assert!(server.is_some(), "dnsmasq does not answer");
    server
}

/// The password that pure-ftpd is to know for its one user, in clear and as `crypt` has it.
pub(crate) const FTP_LOGIN: (&str, &str) = ("bob", "hush");
const FTP_SECRET: &str = "$1$fleet$rYTQCID76AWA04kPx.bFQ/";

/// pure-ftpd over a directory, for one virtual user; its own files go to `own`.
pub(crate) fn pure_ftpd(directory: &Path, own: &Path) -> Option<Server> {
    let program = tool("pure-ftpd", "pure-ftpd")?;
    let passwords = tool("pure-pw", "pure-ftpd-common")?;
    if !is_root() {
        // It changes its user and confines itself to the directory at each login.
        not_run("root, for pure-ftpd");
        return None;
    }
    fs::create_dir_all(own).expect("a directory");
    // 65534 is nobody; `./` is where it is confined to.
    let (user, home) = (FTP_LOGIN.0, directory.display());
    let line = format!("{user}:{FTP_SECRET}:65534:65534::{home}/./::::::::::::\n");
    let (text, base) = (own.join("passwd"), own.join("base"));
    fs::write(&text, line).expect("writable");
    let made = Command::new(passwords)
        .arg("mkdb")
        .arg(&base)
        .arg("-f")
        .arg(&text)
        .status();
    assert!(made.expect("pure-pw").success());
    let command = |port: u16| {
        let mut command = Command::new(&program);
        command
            .args(["-4", "-H", "-E", "-c", "200", "-C", "200", "-S"])
            .arg(format!("127.0.0.1,{port}"))
            .arg("-l")
            .arg(format!("puredb:{}", base.display()))
            .arg("-g")
            .arg(own.join("pid"));
        command
    };
    let server = Server::start(free_tcp_port, command, ftp_answers);
    assert!(server.is_some(), "pure-ftpd does not answer");
    server
}

/// What nginx is to do.
pub(crate) struct Nginx<'a> {
    /// What it serves.
    pub(crate) directory: &'a Path,
    /// Where its own files go.
    pub(crate) own: &'a Path,
    /// It answers every request with this status instead.
    pub(crate) always: Option<u16>,
    /// It speaks TLS, with a certificate by the authority that is written to `own/ca.pem`.
    pub(crate) tls: bool,
    /// With TLS: a directory that it serves only to clients with a certificate by the authority in
    /// this file.
    pub(crate) certified: Option<(&'a str, &'a Path)>,
    /// A directory that it serves only to these users, with their passwords.
    pub(crate) closed: Option<(&'a str, &'a [(String, String)])>,
}

/// nginx.
pub(crate) fn nginx(nginx: &Nginx) -> Option<Server> {
    let program = tool("nginx", "nginx-light")?;
    fs::create_dir_all(nginx.own).expect("a directory of its own");
    if nginx.tls {
        certify(nginx.own);
    }
    let command = |port: u16| {
        let file = nginx.own.join("nginx.conf");
        fs::write(&file, configuration(nginx, port)).expect("writable");
        let mut command = Command::new(&program);
        let log = nginx.own.join("error.log");
        command.arg("-p").arg(nginx.own).arg("-c").arg(file);
        command.arg("-e").arg(log);
        command
    };
    let answers = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    let server = Server::start(free_tcp_port, command, answers);
    assert!(
        server.is_some(),
        "nginx does not answer: {}",
        fs::read_to_string(nginx.own.join("error.log")).unwrap_or_default()
    );
    server
}

fn configuration(nginx: &Nginx, port: u16) -> String {
    let own = nginx.own.display();
    let mut text = String::from("daemon off;\nmaster_process off;\n");
    if is_root() {
        text.push_str("user root;\n");
    }
    let _ = writeln!(
        text,
        "pid {own}/pid;\nevents {{ worker_connections 4000; }}"
    );
    text.push_str("http {\naccess_log off;\n");
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        let _ = writeln!(text, "{kind}_temp_path {own}/{kind};");
    }
    let tls = if nginx.tls { " ssl" } else { "" };
    let _ = writeln!(
        text,
        "server {{\nlisten 127.0.0.1:{port}{tls};\nroot \"{}\";",
        nginx.directory.display()
    );
    let files = "try_files \"$uri?$args\" $uri =404;";
    if let Some((directory, authority)) = nginx.certified {
        let authority = authority.display();
        let _ = writeln!(text, "ssl_client_certificate {authority};");
        let _ = writeln!(text, "ssl_verify_client optional;");
        let _ = writeln!(
            text,
            "location /{directory}/ {{ if ($ssl_client_verify != SUCCESS) {{ return 403; }} \
             {files} }}"
        );
    }
    if let Some((directory, users)) = nginx.closed {
        let lines = users
            .iter()
            .map(|(user, password)| format!("{user}:{{PLAIN}}{password}\n"));
        fs::write(nginx.own.join("users"), lines.collect::<String>()).expect("writable");
        let _ = writeln!(
            text,
            "location /{directory}/ {{ auth_basic \"closed\"; auth_basic_user_file {own}/users; \
             {files} }}"
        );
    }
    if nginx.tls {
        let _ = writeln!(text, "ssl_certificate {own}/server.pem;");
        let _ = writeln!(text, "ssl_certificate_key {own}/server.key;");
    }
    // A phone may ask with a query, and the file for that has it in its name.
    let answer = nginx
        .always
        .map_or_else(|| files.to_owned(), |status| format!("return {status};"));
    let _ = writeln!(text, "location / {{ {answer} }}");
    text.push_str("}\n}\n");
    text
}

/// chrony as a time server that sets no clock of this machine.
pub(crate) fn chronyd(own: &Path) -> Option<Server> {
    let program = tool("chronyd", "chrony")?;
    fs::create_dir_all(own).expect("a directory of its own");
    let command = |port: u16| {
        let file = own.join("chrony.conf");
        let pid = own.join("chronyd.pid");
        let text = format!(
            "port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.0/8\nlocal stratum 5\n\
             cmdport 0\nbindcmdaddress /\npidfile {}\n",
            pid.display()
        );
        fs::write(&file, text).expect("writable");
        let mut command = Command::new(&program);
        command
            .args(["-d", "-x", "-U", "-u", "root", "-f"])
            .arg(file);
        command
    };
    let server = Server::start(free_udp_port, command, time_answers);
    assert!(server.is_some(), "chronyd does not answer");
    server
}

/// SIPp as a PnP responder that names this URL, `[$mac]` in it standing for what the phone called
/// itself, and socat, which joins the multicast group for it.
pub(crate) fn sipp(own: &Path, url: &str) -> Option<(Server, Started)> {
    let program = tool("sipp", "sip-tester")?;
    let joiner = tool("socat", "socat")?;
    fs::create_dir_all(own).expect("a directory of its own");
    let scenario = own.join("pnp.xml");
    let text = include_str!("../real_servers/pnp.xml").replace("URL", url);
    fs::write(&scenario, text).expect("writable");
    // The kernel hands a group's datagrams to every socket that is bound to no address, once any
    // program has joined.
    let mut join = Command::new(joiner);
    let listen = format!(
        "UDP4-RECV:{},bind=127.0.0.1,ip-add-membership=224.0.1.75:127.0.0.1",
        free_udp_port()
    );
    join.args(["-u", &listen, "OPEN:/dev/null"]);
    let joined = Started::new(&mut join);
    let command = |port: u16| {
        let mut command = Command::new(&program);
        command
            .current_dir(own)
            .env("TERM", "dumb")
            .args(["-nostdin", "-trace_err", "-p", &port.to_string(), "-sf"])
            .arg(&scenario);
        command
    };
    let bound = |port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_err();
    let server = Server::start(free_udp_port, command, bound);
    assert!(server.is_some(), "sipp does not listen");
    Some((server?, joined))
}

/// Asks for the time; any answer will do.
fn time_answers(port: u16) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let patience = Some(Duration::from_millis(200));
    socket.set_read_timeout(patience).expect("a time");
    let mut request = [0; 48];
    request[0] = 0x23;
    let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let asked = socket.send_to(&request, to);
    asked.is_ok() && socket.recv_from(&mut [0; 600]).is_ok()
}

/// An authority of this test's own and a certificate by it for 127.0.0.1.
pub(crate) fn certify(own: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = rcgen::CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
    let issuer = issuer.expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
    let server = params.signed_by(&key, &issuer).expect("a certificate");
    let write = |name: &str, text: String| fs::write(own.join(name), text).expect("writable");
    write("ca.pem", issuer.pem());
    write("server.pem", server.pem());
    write("server.key", key.serialize_pem());
}

/// The authority of an nginx with TLS.
pub(crate) fn authority(own: &Path) -> PathBuf {
    own.join("ca.pem")
}

/// A UDP port that was free a moment ago.
pub(crate) fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.local_addr().expect("bound").port()
}

/// A TCP port that was free a moment ago.
pub(crate) fn free_tcp_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.local_addr().expect("bound").port()
}

/// Waits for the greeting.
pub(crate) fn ftp_answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let patience = Some(Duration::from_secs(1));
    stream.set_read_timeout(patience).expect("a time");
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).is_ok() && &greeting == b"220"
}

/// Asks for a file that is not there; any answer will do.
fn tftp_answers(port: u16) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let patience = Some(Duration::from_millis(200));
    socket.set_read_timeout(patience).expect("a time");
    let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let asked = socket.send_to(b"\x00\x01no-such-file\x00octet\x00", to);
    asked.is_ok() && socket.recv_from(&mut [0; 600]).is_ok()
}
