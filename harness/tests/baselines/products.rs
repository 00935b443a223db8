//! The products: how each is started over a directory, and which version is installed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bootstorm::content::Files;
use bootstorm::provision;
use bootstorm::reference::independent::Independent;

use crate::baselines_directory;
use crate::servers::{
    Server, authority, certify, dnsmasq_with, free_tcp_port, ftp_answers, is_root, tftpd_hpa,
};
use crate::tool::{not_run, tool};

/// A product that is running; dropping it ends it.
pub(crate) struct Running {
    /// As `--subject` names its services.
    pub(crate) subjects: Vec<String>,
    /// Its authority's certificate, if it speaks TLS.
    pub(crate) ca: Option<PathBuf>,
    _server: Kept,
}

/// What runs as long as it is held.
#[expect(dead_code, reason = "held to be dropped")]
enum Kept {
    Other(Server),
    Independent(Independent),
}

/// A product.
pub(crate) struct Product {
    /// As its baselines are called.
    pub(crate) name: &'static str,
    /// The version that is installed; says that the test does not run without one.
    pub(crate) version: fn() -> Option<String>,
    /// Serves `tree` below a directory of its own.
    pub(crate) start: fn(&Path) -> Option<Running>,
}

fn running(server: Server, schemes: &[&str]) -> Running {
    let port = server.port;
    let subjects = schemes
        .iter()
        .map(|scheme| format!("{scheme}://127.0.0.1:{port}"));
    Running {
        subjects: subjects.collect(),
        ca: None,
        _server: Kept::Other(server),
    }
}

/// The word after `before` in what a program says of itself.
fn told(program: &str, package: &str, argument: &str, before: &str) -> Option<String> {
    let mut command = Command::new(tool(program, package)?);
    let said = command.arg(argument).output().expect(program);
    let said = [said.stdout, said.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let (_, rest) = said.split_once(before).expect("it says its version");
    let end = |letter: char| letter.is_whitespace() || letter == ',';
    Some(rest.split(end).next().unwrap_or_default().to_owned())
}

pub(crate) const TFTPD_HPA: Product = Product {
    name: "tftpd-hpa",
    version: || told("in.tftpd", "tftpd-hpa", "-V", "tftp-hpa "),
    start: |own| Some(running(tftpd_hpa(&own.join("tree"))?, &["tftp"])),
};

pub(crate) const DNSMASQ: Product = Product {
    name: "dnsmasq",
    version: || told("dnsmasq", "dnsmasq-base", "--version", "version "),
    start: |own| Some(running(dnsmasq_with(&own.join("tree"), &[])?, &["tftp"])),
};

pub(crate) const NGINX: Product = Product {
    name: "nginx",
    version: || told("nginx", "nginx-light", "-v", "nginx/"),
    start: start_nginx,
};

pub(crate) const VSFTPD: Product = Product {
    name: "vsftpd",
    version: version_of_vsftpd,
    start: start_vsftpd,
};

pub(crate) const ASYNC_TFTP: Product = Product {
    name: "async-tftp",
    version: || {
        let lock = include_str!("../../../Cargo.lock");
        let (_, rest) = lock.split_once("name = \"async-tftp\"\nversion = \"")?;
        Some(rest.split('"').next()?.to_owned())
    },
    start: start_async_tftp,
};

/// The committed configuration, at two free ports.
fn start_nginx(own: &Path) -> Option<Running> {
    let program = tool("nginx", "nginx-light")?;
    let text = fs::read_to_string(baselines_directory().join("nginx.conf")).expect("committed");
    fs::copy(baselines_directory().join("users"), own.join("users")).expect("writable");
    certify(own);
    let secure = free_tcp_port();
    let command = |port: u16| {
        let text = text.replace(":8080", &format!(":{port}"));
        let text = text.replace(":8443", &format!(":{secure}"));
        fs::write(own.join("nginx.conf"), text).expect("writable");
        let mut command = Command::new(&program);
        command.arg("-p").arg(own).args(["-c", "nginx.conf"]);
        command.arg("-e").arg(own.join("error.log"));
        command
    };
    let answers = |port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    let server = Server::start(free_tcp_port, command, answers);
    let why = || fs::read_to_string(own.join("error.log")).unwrap_or_default();
    let server = server.unwrap_or_else(|| panic!("nginx does not answer: {}", why()));
    let mut running = running(server, &["http"]);
    running.subjects.push(format!("https://127.0.0.1:{secure}"));
    running.ca = Some(authority(own));
    Some(running)
}

/// It writes its version to its standard input, where a client would be.
fn version_of_vsftpd() -> Option<String> {
    let program = tool("vsftpd", "vsftpd")?;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("version");
    let stdin = fs::File::create(&file).expect("writable");
    let mut command = Command::new(program);
    command.arg("-v").stdin(stdin).stdout(Stdio::null());
    command.status().expect("vsftpd");
    let said = fs::read_to_string(file).expect("text");
    let version = said.trim().rsplit(' ').next().unwrap_or_default();
    assert!(!version.is_empty(), "vsftpd says no version");
    Some(version.to_owned())
}

/// The committed configuration, at a free port.
fn start_vsftpd(own: &Path) -> Option<Running> {
    let program = tool("vsftpd", "vsftpd")?;
    if !is_root() {
        // It changes its user and confines itself at each login.
        not_run("root, for vsftpd");
        return None;
    }
    // It reads only a file of its own user's.
    let file = own.join("vsftpd.conf");
    let text = fs::read_to_string(baselines_directory().join("vsftpd.conf")).expect("committed");
    fs::write(&file, text).expect("writable");
    let empty = own.join("empty");
    fs::create_dir_all(&empty).expect("a directory");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o555)).expect("ours");
    let command = |port: u16| {
        let mut command = Command::new(&program);
        command.arg(&file);
        command.arg(format!("-oanon_root={}", own.join("tree").display()));
        command.arg(format!("-osecure_chroot_dir={}", empty.display()));
        command.arg(format!("-olisten_port={port}"));
        command
    };
    let server = Server::start(free_tcp_port, command, ftp_answers);
    assert!(server.is_some(), "vsftpd does not answer");
    Some(running(server?, &["ftp"]))
}

fn start_async_tftp(own: &Path) -> Option<Running> {
    let mut files = Files::new();
    let tree = own.join("tree");
    let mut open = vec![tree.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let bytes = fs::read(&path).expect("readable");
            let name = path.strip_prefix(&tree).expect("below it");
            files.insert(name.display().to_string(), bytes);
        }
    }
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let server = Independent::start(provision::served(files), address).expect("a free port");
    Some(Running {
        subjects: vec![format!("tftp://{}", server.address())],
        ca: None,
        _server: Kept::Independent(server),
    })
}
