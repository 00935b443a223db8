//! `content` and `serve`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::interrupt::interrupt;
use crate::program::{LIMIT, bootstorm, run, until};
use crate::tool::tool;
use crate::{directory, holds};

/// Ports that the kernel chooses.
pub(crate) const FREE: [&str; 14] = [
    "--dhcp-port",
    "0",
    "--tftp-port",
    "0",
    "--ftp-port",
    "0",
    "--http-port",
    "0",
    "--https-port",
    "0",
    "--sip-port",
    "0",
    "--ntp-port",
    "0",
];

/// A serving program; dropping it ends it.
pub(crate) struct Serving {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut child = bootstorm(directory, &[&["serve"], arguments].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let out = child.stdout.take().expect("caught");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line; none at the end.
    fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no line within {LIMIT:?}"),
        }
    }

    /// Where a service listens, from the lines that it begins with.
    pub(crate) fn endpoints(&self) -> Vec<(String, String)> {
        let mut endpoints = Vec::new();
        while endpoints.len() < 7 {
            let line = self.line().expect("a line for each service");
            if let Some((name, at)) = line.trim().rsplit_once(' ')
                && line.starts_with("  ")
            {
                endpoints.push((name.trim().to_owned(), at.to_owned()));
            }
        }
        endpoints
    }

    /// Ends it with Ctrl-C; its exit code and what it said last.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        interrupt(&self.child);
        let mut text = String::new();
        while let Some(line) = self.line() {
            text.push_str(&line);
            text.push('\n');
        }
        let mut status = None;
        until(Duration::from_secs(10), || {
            status = self.child.try_wait().expect("own child");
            status.is_some()
        });
        (status.and_then(|status| status.code()), text)
    }
}

#[test]
fn content_writes_the_documented_files() {
    let directory = directory();
    let arguments = ["content", "--out", "files", "--phones", "200"];
    let said = run(directory.path(), &arguments).expect(0);
    holds(
        &said.out,
        &["for 200 phones in files", "server found by DHCP: tftp:"],
    );
    let files = directory.path().join("files");
    for file in [
        "y000000000000.cfg",
        "0021f2000000.cfg",
        "pnp/0021f200001e.cfg",
        "boot files/y000000000000.boot",
        "000b/8200/000b82000050.md5",
        "000b/8200/000b82000050.txt",
        "maxwell/provisioning.xml",
        "maxwell/custom/CA.pem",
        "comfortel-references/references.xml",
    ] {
        assert!(files.join(file).is_file(), "{file}");
    }
    // Twice the same: the second run changes nothing.
    let before = fs::read(files.join("0021f2000000.cfg")).expect("readable");
    run(directory.path(), &arguments).expect(0);
    let after = fs::read(files.join("0021f2000000.cfg")).expect("readable");
    assert_eq!(before, after);
}

#[test]
fn content_that_cannot_be_written_is_our_own_trouble() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").expect("writable");
    let said = run(directory.path(), &["content", "--out", "file/x"]).expect(4);
    holds(&said.err, &["failed to write file/x"]);
}

#[test]
fn serve_gives_files_to_curl_and_counts_them() {
    let Some(curl) = tool("curl", "curl") else {
        return;
    };
    let directory = directory();
    let further = ["--ca-out", "ca.pem"];
    let serving = Serving::start(directory.path(), &[&FREE[..], &further].concat());
    let endpoints = serving.endpoints();
    let at = |wanted: &str| {
        let found = endpoints.iter().find(|(name, _)| name == wanted);
        found.unwrap_or_else(|| panic!("{endpoints:?}")).1.clone()
    };
    let mut texts = Vec::new();
    for scheme in ["http", "https", "tftp"] {
        let url = format!("{scheme}://{}/y000000000000.cfg", at(scheme));
        let mut command = Command::new(&curl);
        let options = ["--silent", "--show-error", "--fail", "--max-time", "20"];
        command.current_dir(directory.path());
        command.args(options).args(["--cacert", "ca.pem", &url]);
        let got = command.output().expect("curl");
        let error = String::from_utf8_lossy(&got.stderr).into_owned();
        // A curl may be built without TFTP; without the others there is none.
        if scheme == "tftp" && got.status.code() == Some(1) {
            crate::tool::not_run("curl with TFTP");
            continue;
        }
        assert!(got.status.success(), "{url}: {error}");
        texts.push(got.stdout);
    }
    holds(
        &String::from_utf8_lossy(&texts[0]),
        &["local_time.time_zone"],
    );
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
    let (code, counted) = serving.end();
    assert_eq!(code, Some(0), "{counted}");
    holds(&counted, &["http"]);
}

#[test]
fn serve_names_the_port_that_is_in_use() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let mut arguments = FREE;
    arguments[5] = &port;
    let directory = directory();
    let said = run(directory.path(), &[&["serve"], &arguments[..]].concat()).expect(4);
    holds(&said.err, &["bootstorm: failed to", &port, "in use"]);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
}

#[test]
fn serve_beyond_loopback_must_be_asked_for() {
    let directory = directory();
    let arguments = ["serve", "--address", "192.0.2.1"];
    let said = run(directory.path(), &[&arguments[..], &FREE].concat());
    assert!(matches!(said.code, 2 | 4), "{said:?}");
    holds(&said.err, &["loopback"]);
}

#[test]
fn quiet_serve_says_nothing() {
    let directory = directory();
    let further = ["--quiet", "--ca-out", "ca.pem"];
    let mut serving = Serving::start(directory.path(), &[&FREE[..], &further].concat());
    let mut error = serving.child.stderr.take().expect("caught");
    // Ctrl-C is caught before anything is written.
    let file = directory.path().join("ca.pem");
    assert!(until(LIMIT, || file.exists()));
    let (code, said) = serving.end();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let mut text = String::new();
    error.read_to_string(&mut text).expect("text");
    assert!(!text.contains("panicked"), "{text}");
}
