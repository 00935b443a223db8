//! What a case needs around a handset: the reference server on the lab's interface, host names, and
//! files in the directory of a real server. Dropping it takes everything away again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bootstorm_emulator::wire::port;
use bootstorm_scenarios::lab::{Lab, LabPlace};
use bootstorm_scenarios::plan::Plan;

use super::names::Names;
use crate::content::Files;
use crate::provision::{self, Pool};
use crate::reference::Reference;
use crate::reference::ReferenceConfig;
use crate::reference::adapter::{Adapter, Bind, Courier, Running};
use crate::reference::certificate::{Authority, ServerTls};
use crate::reference::content::Source;
use crate::reference::dhcp::{self, DhcpConfig, OptionValue};

/// Bytes of one file of a real server that is put back.
const KEPT_BYTES_MAX: u64 = 64 << 20;

/// Why a case could not be set up: a fault of the bench.
#[derive(Debug, thiserror::Error)]
pub enum StageFault {
    /// The reference server does not run.
    #[error("the reference server does not run: {0}")]
    Server(String),
    /// Nobody tells host names.
    #[error("failed to tell host names at port 53 of {address}: {fault}")]
    Names {
        /// Where.
        address: Ipv4Addr,
        /// What the operating system says.
        fault: io::Error,
    },
    /// The files of a real server cannot be written.
    #[error("failed to write {path}: {fault}")]
    Files {
        /// Which file.
        path: PathBuf,
        /// What the operating system says.
        fault: io::Error,
    },
}

/// Everything that a case needs, for as long as it lasts.
#[derive(Debug)]
pub struct Stage {
    running: Option<Running>,
    _names: Option<Names>,
    laid: Option<Laid>,
}

impl Stage {
    /// Whether a case could be set up just now: every port is free, and a real server's directory
    /// is there. Nobody is answered, and nothing stays behind.
    ///
    /// # Errors
    /// `StageFault`.
    pub fn probe(lab: &Lab, plan: &Arc<Plan>, config: &ReferenceConfig) -> Result<(), StageFault> {
        let own = lab.subject.address;
        if let Some(root) = &lab.subject.directory {
            let failed = |fault| StageFault::Files {
                path: root.into(),
                fault,
            };
            fs::read_dir(root).map_err(failed)?;
        }
        let hosts = hosts(lab, plan);
        if !hosts.is_empty() {
            let names = Names::start(own, hosts, Vec::new());
            let failed = |fault| StageFault::Names {
                address: own,
                fault,
            };
            names.map_err(failed)?;
        }
        let bind = bind(lab, config.mdns.is_some(), tls(plan)?);
        Adapter::probe(&bind).map_err(|fault| server(&fault))
    }

    /// Sets a case up: from here on handsets are answered. What the lab file says that a real
    /// server has is left to that.
    ///
    /// # Errors
    /// `StageFault`; nothing stays behind then.
    pub fn set(
        lab: &Lab,
        plan: &Arc<Plan>,
        files: &Files,
        mut config: ReferenceConfig,
    ) -> Result<Self, StageFault> {
        let own = lab.subject.address;
        let laid = match &lab.subject.directory {
            Some(root) => Some(Laid::put(Path::new(root), files)?),
            None => None,
        };
        let hosts = hosts(lab, plan);
        let names = match hosts.is_empty() {
            true => None,
            false => {
                let names = Names::start(own, hosts, lab.networks.clone());
                let failed = |fault| StageFault::Names {
                    address: own,
                    fault,
                };
                Some(names.map_err(failed)?)
            }
        };
        if let Some(dhcp) = &mut config.dhcp {
            dhcp.server = own;
            tell_time(lab, dhcp);
            let tells_names = names.is_some();
            dhcp.pools = lab
                .places
                .iter()
                .map(|it| pool(lab, it, tells_names))
                .collect();
        }
        let tls = tls(plan)?;
        let bind = bind(lab, config.mdns.is_some(), tls);
        let running = Adapter::start(Reference::new(config), &bind);
        Ok(Self {
            running: Some(running.map_err(|fault| server(&fault))?),
            _names: names,
            laid,
        })
    }

    /// Takes orders to the reference server.
    #[must_use]
    pub fn courier(&self) -> Option<Courier> {
        self.running.as_ref().map(Running::courier)
    }

    /// Whether the reference server is still there.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.running.as_ref().is_some_and(Running::is_alive)
    }

    /// Puts other files into a real server's directory, where there is one.
    ///
    /// # Errors
    /// `StageFault::Files`.
    pub fn change(&mut self, files: &Files) -> Result<(), StageFault> {
        match &mut self.laid {
            Some(laid) => laid.add(files),
            None => Ok(()),
        }
    }

    /// Takes everything away.
    ///
    /// # Errors
    /// `StageFault::Files`: a file of the real server that could not be put back.
    pub fn strike(mut self) -> Result<(), StageFault> {
        drop(self.running.take());
        match self.laid.take() {
            Some(mut laid) => laid.restore(),
            None => Ok(()),
        }
    }
}

fn server(fault: &dyn std::fmt::Display) -> StageFault {
    StageFault::Server(fault.to_string())
}

/// What the reference server proves itself with.
fn tls(plan: &Plan) -> Result<ServerTls, StageFault> {
    let authority = Authority::new().map_err(|fault| server(&fault))?;
    let factory = Authority::factory().map_err(|fault| server(&fault))?;
    provision::server_tls(plan, &authority, &factory).map_err(|fault| server(&fault))
}

/// Where the reference server listens: wherever no real server does.
fn bind(lab: &Lab, has_mdns: bool, tls: ServerTls) -> Bind {
    let own = lab.subject.address;
    let theirs = |service: &str| is_theirs(lab, service);
    let port = |service: &str, port: u16| (!theirs(service)).then_some(port);
    Bind {
        address: own,
        beyond_loopback: true,
        dhcp_interface: Some(lab.subject.interface.clone()),
        dhcp_port: port("dhcp", port::DHCP_SERVER),
        tftp_port: port("tftp", port::TFTP),
        ftp_port: port("ftp", port::FTP),
        http_port: port("http", port::HTTP),
        https: port("https", port::HTTPS).map(|port| (port, tls)),
        sip_port: port("sip", port::SIP),
        sip_tcp_port: port("sip", port::SIP),
        sip_group: (!theirs("sip")).then_some(own),
        pnp_port: port("sip", 0),
        ntp_port: port("ntp", port::NTP),
        mdns_port: port("mdns", port::MDNS).filter(|_| has_mdns),
        networks: lab.networks.clone(),
        ..Bind::loopback()
    }
}

/// Whether a real server has the service.
fn is_theirs(lab: &Lab, service: &str) -> bool {
    let mut given = lab.subject.given.iter();
    given.any(|given| given.text.split("://").next() == Some(service))
}

/// Where the host names of a plan lead: to the real server where it has what they are for, else to
/// the reference server.
fn hosts(lab: &Lab, plan: &Plan) -> BTreeMap<String, Ipv4Addr> {
    let mut hosts = plan.hosts();
    let redirects = plan.redirect_hosts();
    for (name, address) in &mut hosts {
        let service = match redirects.contains(name) {
            true => ["http", "https"],
            false => ["sip", "sip"],
        };
        let theirs = service.iter().any(|service| is_theirs(lab, service));
        if *address == lab.subject.server && !theirs {
            *address = lab.subject.address;
        }
    }
    hosts
}

/// Where the time is: whoever tells it, not whoever has the files.
fn tell_time(lab: &Lab, dhcp: &mut DhcpConfig) {
    const TIME_SERVERS: u8 = 42;
    let at = match is_theirs(lab, "ntp") {
        true => lab.subject.server,
        false => lab.subject.address,
    };
    let shared = dhcp
        .rules
        .iter_mut()
        .filter(|rule| rule.when == dhcp::Match::Any);
    for rule in shared {
        rule.options = vec![OptionValue::addresses(TIME_SERVERS, &[at])];
    }
}

/// What a place's handset is leased.
fn pool(lab: &Lab, place: &LabPlace, tells_names: bool) -> dhcp::Pool {
    dhcp::Pool {
        relay: None,
        client: Some(place.mac),
        first: place.addresses.first,
        last: place.addresses.last,
        mask: lab.mask(),
        routers: lab.subject.router.into_iter().collect(),
        name_servers: tells_names
            .then_some(lab.subject.address)
            .into_iter()
            .collect(),
    }
}

/// The reference server of a plan, whose pools `Stage::set` makes those of the lab.
#[must_use]
pub fn config(plan: &Arc<Plan>, source: Source, lab: &Lab) -> ReferenceConfig {
    let own = lab.subject.address;
    let pool = Pool {
        first: own,
        last: own,
        mask: lab.mask(),
    };
    provision::reference(plan, source, pool)
}

/// Files that lie in a real server's directory, and what lay there before.
#[derive(Debug)]
struct Laid {
    root: PathBuf,
    /// Each file with what it held; `None` = it was not there.
    before: BTreeMap<PathBuf, Option<Vec<u8>>>,
    /// Directories that were made for them, in the order in which they were.
    made: Vec<PathBuf>,
}

impl Laid {
    fn put(root: &Path, files: &Files) -> Result<Self, StageFault> {
        let mut laid = Self {
            root: root.to_owned(),
            before: BTreeMap::new(),
            made: Vec::new(),
        };
        laid.add(files)?;
        Ok(laid)
    }

    fn add(&mut self, files: &Files) -> Result<(), StageFault> {
        for (name, bytes) in files {
            let path = self.root.join(name);
            let put = self.file(&path, bytes);
            put.map_err(|fault| StageFault::Files { path, fault })?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let inside = path.strip_prefix(&self.root).is_ok_and(|rest| {
            let mut parts = rest.components();
            parts.all(|part| matches!(part, std::path::Component::Normal(_)))
        });
        if !inside {
            return Err(io::Error::other("it is not below the server's directory"));
        }
        if !self.before.contains_key(path) {
            let held = match fs::metadata(path) {
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => None,
                Err(fault) => return Err(fault),
                Ok(facts) if facts.len() > KEPT_BYTES_MAX => {
                    return Err(io::Error::other(
                        "a file lies there that is too long to be kept",
                    ));
                }
                Ok(_) => Some(fs::read(path)?),
            };
            self.before.insert(path.to_owned(), held);
        }
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        for directory in above
            .into_iter()
            .rev()
            .filter(|it| it.starts_with(&self.root))
        {
            if !directory.exists() {
                fs::create_dir(directory)?;
                self.made.push(directory.to_owned());
            }
        }
        fs::write(path, bytes)
    }

    /// Puts back what was there; everything is tried. The first failure is returned, and those
    /// after it told on standard error.
    fn restore(&mut self) -> Result<(), StageFault> {
        let mut first = Ok(());
        for (path, held) in std::mem::take(&mut self.before) {
            let put = match held {
                Some(bytes) => fs::write(&path, bytes),
                None => match fs::remove_file(&path) {
                    Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
                    removed => removed,
                },
            };
            let Err(fault) = put else {
                continue;
            };
            let fault = StageFault::Files { path, fault };
            match first {
                Ok(()) => first = Err(fault),
                Err(_) => tell_not_put_back(&fault),
            }
        }
        for directory in self.made.drain(..).rev() {
            // One that somebody else has put a file into stays.
            let _ = fs::remove_dir(directory);
        }
        first
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        // Of a stage that was struck nothing is left to be put back.
        if let Err(fault) = self.restore() {
            tell_not_put_back(&fault);
        }
    }
}

/// Tells on standard error that a real server is left with a file that is not its own.
pub(super) fn tell_not_put_back(fault: &StageFault) {
    eprintln!("bootstorm: the real server's files are not as they were: {fault}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_servers_files_are_as_they_were_when_the_case_is_over() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name);
        fs::write(at("own.cfg"), "theirs").expect("writable");
        fs::create_dir(at("kept")).expect("writable");
        let files = |text: &str| {
            let names = ["own.cfg", "kept/a.cfg", "new/deep/b.cfg"];
            Files::from(names.map(|name| (name.to_owned(), text.as_bytes().to_vec())))
        };
        let mut laid = Laid::put(root.path(), &files("ours")).expect("writable");
        laid.add(&files("later")).expect("writable");
        assert_eq!(fs::read(at("own.cfg")).expect("there"), b"later");
        assert_eq!(fs::read(at("new/deep/b.cfg")).expect("there"), b"later");
        laid.restore().expect("writable");
        assert_eq!(fs::read(at("own.cfg")).expect("there"), b"theirs");
        assert!(at("kept").is_dir() && !at("kept/a.cfg").exists() && !at("new").exists());
        let mut laid = Laid::put(root.path(), &files("ours")).expect("writable");
        fs::remove_file(at("own.cfg")).expect("writable");
        fs::create_dir(at("own.cfg")).expect("writable");
        let told = laid.restore().expect_err("a directory").to_string();
        assert!(told.contains("own.cfg"), "{told}");
        assert!(!at("kept/a.cfg").exists() && !at("new").exists());
        let outside = Files::from([("../x".to_owned(), Vec::new())]);
        let told = Laid::put(root.path(), &outside)
            .expect_err("outside")
            .to_string();
        assert!(told.contains("not below the server's directory"), "{told}");
    }
}
