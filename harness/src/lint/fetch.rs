//! One file of a server, by the protocol of its URL.

use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs as _, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bootstorm_emulator::phone::io::{ConnectionFault, FtpMode};
use bootstorm_emulator::url::{Scheme, Url};
use bootstorm_emulator::wire::port;
use bootstorm_emulator::wire::tftp::{self, Packet};
use bootstorm_reports::redact::Redactor;
use reqwest::blocking::Client;
use tokio::sync::{Semaphore, mpsc};

use crate::drive::ftp::{self, Retrieval};
use crate::drive::tcp::Told;
use crate::drive::tls::Trust;
use crate::reference::content::{Absent, File};

/// Bytes of one file.
const FILE_BYTES_MAX: usize = 64 << 20;
/// Wait for one answer by HTTP.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest transfer by TFTP or FTP.
const TRANSFER_MAX: Duration = Duration::from_secs(60);
/// How long a block is waited for, and how often.
const BLOCK_WAIT: Duration = Duration::from_secs(1);
const BLOCK_WAITS: u32 = 5;
/// Bytes of a block that are asked for: what one frame of Ethernet holds.
const BLOCK_BYTES: u16 = 1_428;
/// Descriptors that retrievals by FTP may have: one retrieval at a time.
const DESCRIPTORS: usize = 2;

/// What came of asking for a file.
pub(super) type Fetched = Result<Result<File, Absent>, Trouble>;

/// Why nothing is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody answers there.
    Nobody(String),
    /// What is answered is neither a file nor that there is none.
    Odd(String),
}

/// A server whose files are read.
pub(super) struct Server {
    /// The URL without credentials, for messages; ends with `/`.
    root: String,
    way: Way,
}

enum Way {
    Web {
        client: Client,
        root: String,
    },
    Ftp {
        runtime: tokio::runtime::Runtime,
        at: SocketAddrV4,
        user: String,
        password: String,
        directory: String,
    },
    Tftp {
        at: SocketAddrV4,
        directory: String,
    },
}

impl Server {
    /// The server of a URL.
    ///
    /// # Errors
    /// Another scheme, a host that is not known, or a client that cannot be made: in words.
    pub(super) fn new(text: &str, trust: &Trust, verify: bool) -> Result<Self, String> {
        let safe = Redactor::new(0).text(text).into_owned();
        let failed = |fault: &dyn std::fmt::Display| format!("failed to ask {safe}: {fault}");
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        let known = scheme.map(str::to_ascii_lowercase);
        if !matches!(known.as_deref(), Some("http" | "https" | "ftp" | "tftp")) {
            return Err(format!(
                "{safe}: files are read from a directory, http://, https://, ftp:// or tftp:// only"
            ));
        }
        let url = Url::parse(text, Scheme::Http).map_err(|fault| failed(&fault))?;
        let port = |default| url.port.unwrap_or(default);
        let directory = format!("{}/", url.path.trim_matches('/'));
        let directory = directory.trim_start_matches('/').to_owned();
        let way = match url.scheme {
            Scheme::Http | Scheme::Https => {
                let tls = trust.client(verify, None).map_err(|fault| failed(&fault))?;
                let client = Client::builder()
                    .tls_backend_preconfigured(rustls::ClientConfig::clone(&tls))
                    .timeout(PATIENCE)
                    .build()
                    .map_err(|fault| failed(&fault))?;
                let root = format!("{}/", text.trim_end_matches('/'));
                Way::Web { client, root }
            }
            Scheme::Ftp => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|fault| failed(&fault))?;
                let anonymous = url.user.is_empty();
                Way::Ftp {
                    runtime,
                    at: resolved(&url.host, port(port::FTP)).map_err(|fault| failed(&fault))?,
                    user: match anonymous {
                        true => "anonymous".to_owned(),
                        false => url.user.clone(),
                    },
                    password: url.password.clone(),
                    directory,
                }
            }
            Scheme::Tftp => Way::Tftp {
                at: resolved(&url.host, port(port::TFTP)).map_err(|fault| failed(&fault))?,
                directory,
            },
        };
        let root = format!("{}/", safe.trim_end_matches('/'));
        Ok(Self { root, way })
    }

    /// A file of it; `path` begins with no slash.
    pub(super) fn fetch(&self, path: &[u8]) -> Fetched {
        let name = || format!("{}{}", self.root, String::from_utf8_lossy(path));
        let told = |trouble: Trouble| match trouble {
            Trouble::Nobody(why) => Trouble::Nobody(format!("failed to fetch {}: {why}", name())),
            Trouble::Odd(why) => Trouble::Odd(format!("failed to fetch {}: {why}", name())),
        };
        match &self.way {
            Way::Web { client, root } => by_web(client, &format!("{root}{}", escaped(path))),
            Way::Ftp {
                runtime,
                at,
                user,
                password,
                directory,
            } => {
                let Some(path) = of_lines(path) else {
                    return Ok(Err(Absent::Refused));
                };
                let file = Retrieval {
                    device: None,
                    from: source(*at),
                    to: *at,
                    mode: FtpMode::Passive,
                    user: user.clone(),
                    password: password.clone(),
                    path: format!("{directory}{path}"),
                    flow: None,
                };
                by_ftp(runtime, file)
            }
            Way::Tftp { at, directory } => {
                if path.contains(&0) {
                    return Ok(Err(Absent::Refused));
                }
                let name = [directory.as_bytes(), path].concat();
                by_tftp(*at, &name)
            }
        }
        .map_err(told)
    }
}

/// The first IPv4 address of a host.
fn resolved(host: &str, port: u16) -> io::Result<SocketAddrV4> {
    let found = (host, port).to_socket_addrs()?.find_map(|at| match at {
        SocketAddr::V4(at) => Some(at),
        SocketAddr::V6(_) => None,
    });
    found.ok_or_else(|| io::Error::other("the host has no IPv4 address"))
}

/// The address that connections leave from: any, or on this machine its own.
fn source(to: SocketAddrV4) -> Ipv4Addr {
    match to.ip().is_loopback() {
        true => Ipv4Addr::LOCALHOST,
        false => Ipv4Addr::UNSPECIFIED,
    }
}

/// A name that can stand in a command's line (RFC 959 §5.3).
fn of_lines(path: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(path).ok()?;
    (!path.contains(char::is_control)).then_some(path)
}

fn by_web(client: &Client, url: &str) -> Fetched {
    let answer = client.get(url).send().map_err(|fault| {
        let nobody = fault.is_connect() || fault.is_timeout();
        let why = reason(&fault);
        if nobody {
            Trouble::Nobody(why)
        } else {
            Trouble::Odd(why)
        }
    })?;
    match answer.status().as_u16() {
        200..=299 => {}
        403 | 404 | 410 => return Ok(Err(Absent::Missing)),
        status => return Err(Trouble::Odd(format!("HTTP status {status}"))),
    }
    let mut bytes = Vec::new();
    let read = answer
        .take(FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes);
    read.map_err(|fault| Trouble::Odd(fault.to_string()))?;
    Ok(whole(bytes))
}

/// The innermost reason, which says more than that a request failed.
fn reason(fault: &dyn std::error::Error) -> String {
    let mut innermost = fault;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn whole(bytes: Vec<u8>) -> Result<File, Absent> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Absent::TooLarge);
    }
    Ok(File::new(bytes.into()))
}

fn by_ftp(runtime: &tokio::runtime::Runtime, file: Retrieval) -> Fetched {
    let bytes: Mutex<Vec<u8>> = Mutex::default();
    let end: Mutex<Option<Result<(), ConnectionFault>>> = Mutex::default();
    let note = |told: Told<'_>| {
        let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Told::Opened => {}
            Told::Bytes(piece) => {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                // One byte more than may be says that it is too large.
                let room = (FILE_BYTES_MAX + 1).saturating_sub(bytes.len());
                bytes.extend(piece.iter().take(room));
            }
            Told::Closed => *end = Some(Ok(())),
            Told::Failed(fault) => *end = Some(Err(fault)),
        }
    };
    // Kept until the end: a retrieval ends when it is dropped.
    let (_going, ended) = mpsc::channel(1);
    let run = ftp::run(file, Arc::new(Semaphore::new(DESCRIPTORS)), ended, note);
    let _ = runtime.block_on(async { tokio::time::timeout(TRANSFER_MAX, run).await });
    let end = end.into_inner().unwrap_or_else(PoisonError::into_inner);
    let bytes = bytes.into_inner().unwrap_or_else(PoisonError::into_inner);
    match end {
        Some(Ok(())) => Ok(whole(bytes)),
        // No such file; not a plain file; a name that is not allowed (RFC 959 §4.2).
        Some(Err(ConnectionFault::Ftp(550 | 551 | 553))) => Ok(Err(Absent::Missing)),
        Some(Err(fault)) => Err(of_connection(fault)),
        None => Err(Trouble::Nobody(format!(
            "not had within {} s",
            TRANSFER_MAX.as_secs()
        ))),
    }
}

fn of_connection(fault: ConnectionFault) -> Trouble {
    match fault {
        ConnectionFault::Refused => Trouble::Nobody("connection refused".to_owned()),
        ConnectionFault::TimedOut => Trouble::Nobody("no answer in time".to_owned()),
        ConnectionFault::Reset => Trouble::Odd("the connection broke off".to_owned()),
        ConnectionFault::Ftp(530) => Trouble::Odd("FTP reply 530: not logged in".to_owned()),
        ConnectionFault::Ftp(code) => Trouble::Odd(format!("FTP reply {code}")),
        ConnectionFault::FtpData => Trouble::Odd("no FTP data connection".to_owned()),
        ConnectionFault::Tls | ConnectionFault::Local => {
            Trouble::Odd("no connection could be made on this side".to_owned())
        }
    }
}

/// A read in octets, with options first and without them where they are refused (RFC 2347).
fn by_tftp(at: SocketAddrV4, name: &[u8]) -> Fetched {
    let failed = |fault: io::Error| match fault.kind() {
        io::ErrorKind::ConnectionRefused => Trouble::Nobody("port unreachable".to_owned()),
        _ => Trouble::Odd(fault.to_string()),
    };
    if is_closed(at).map_err(failed)? {
        return Err(Trouble::Nobody("port unreachable".to_owned()));
    }
    let read = |options| {
        let mut reading = Reading::begin(at, name, options).map_err(failed)?;
        reading.read()
    };
    match read(true) {
        Err(Refusal::Options) => read(false),
        read => read,
    }
    .or_else(|refusal| match refusal {
        Refusal::Absent(absent) => Ok(Err(absent)),
        Refusal::Trouble(trouble) => Err(trouble),
        Refusal::Options => Err(Trouble::Odd(
            "options are refused, and no options".to_owned(),
        )),
    })
}

/// Whether ICMP says at once that nobody listens. Answers come from other ports, so a connected
/// socket is for this question only.
fn is_closed(at: SocketAddrV4) -> io::Result<bool> {
    let socket = UdpSocket::bind((source(at), 0))?;
    socket.connect(at)?;
    let mut stop = Vec::new();
    tftp::error(&mut stop, tftp::UNDEFINED, b"only a question");
    socket.send(&stop)?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let heard = socket.recv(&mut [0; 1]);
    Ok(heard.is_err_and(|fault| fault.kind() == io::ErrorKind::ConnectionRefused))
}

/// Why a transfer gave no file.
enum Refusal {
    Options,
    Absent(Absent),
    Trouble(Trouble),
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// A transfer.
struct Reading {
    socket: UdpSocket,
    at: SocketAddrV4,
    /// The server's port of the transfer, once it has answered.
    peer: Option<SocketAddr>,
    /// What is sent again.
    last: Vec<u8>,
    block_bytes: usize,
    blocks: u16,
    bytes: Vec<u8>,
    began: Instant,
}

impl Reading {
    fn begin(at: SocketAddrV4, name: &[u8], options: bool) -> io::Result<Self> {
        let mut request = Vec::new();
        tftp::read_request(&mut request, name, tftp::OCTET);
        if options {
            tftp::option_number(&mut request, tftp::BLKSIZE, u64::from(BLOCK_BYTES));
        }
        let socket = UdpSocket::bind((source(at), 0))?;
        socket.set_read_timeout(Some(BLOCK_WAIT))?;
        Ok(Self {
            socket,
            at,
            peer: None,
            last: request,
            block_bytes: usize::from(tftp::BLOCK_BYTES),
            blocks: 0,
            bytes: Vec::new(),
            began: Instant::now(),
        })
    }

    fn read(&mut self) -> Result<Result<File, Absent>, Refusal> {
        let odd = |fault: io::Error| Trouble::Odd(fault.to_string());
        let mut buffer = vec![0; usize::from(u16::MAX)];
        let mut silent = 0;
        self.send().map_err(odd)?;
        while silent < BLOCK_WAITS && self.began.elapsed() < TRANSFER_MAX {
            let (length, from) = match self.socket.recv_from(&mut buffer) {
                Ok(heard) => heard,
                Err(fault) => {
                    let waits = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                    if !waits.contains(&fault.kind()) {
                        return Err(odd(fault).into());
                    }
                    silent += 1;
                    self.send().map_err(odd)?;
                    continue;
                }
            };
            // Another host, or another transfer's port (RFC 1350 §4).
            let ours = self
                .peer
                .map_or(from.ip() == *self.at.ip(), |peer| peer == from);
            let bytes = buffer.get(..length).unwrap_or_default();
            let Some(packet) = tftp::decode(bytes).ok().filter(|_| ours) else {
                continue;
            };
            if self.take(packet, from)? {
                silent = 0;
                self.send().map_err(odd)?;
                if self.block_bytes == 0 {
                    return Ok(whole(std::mem::take(&mut self.bytes)));
                }
            }
        }
        let why = match self.peer {
            None => "no answer to a read request".to_owned(),
            Some(_) => format!("the transfer stopped after {} bytes", self.bytes.len()),
        };
        Err(match self.peer {
            None => Trouble::Nobody(why),
            Some(_) => Trouble::Odd(why),
        }
        .into())
    }

    /// Takes a packet; true when there is something to answer. No block size is left after the
    /// last block.
    fn take(&mut self, packet: Packet<'_>, from: SocketAddr) -> Result<bool, Refusal> {
        match packet {
            Packet::OptionAck(options) if self.blocks == 0 => {
                let agreed = options.number(tftp::BLKSIZE).flatten();
                let agreed = agreed.and_then(|bytes| usize::try_from(bytes).ok());
                self.block_bytes = agreed.unwrap_or(self.block_bytes).max(1);
            }
            Packet::Data { block, data } if block == self.blocks.wrapping_add(1) => {
                self.blocks = block;
                self.bytes.extend_from_slice(data);
                if data.len() < self.block_bytes || self.bytes.len() > FILE_BYTES_MAX {
                    self.block_bytes = 0;
                }
            }
            Packet::Error { code, message } => {
                return Err(match code {
                    tftp::OPTION_REFUSED => Refusal::Options,
                    tftp::NOT_FOUND | tftp::ACCESS_VIOLATION => Refusal::Absent(Absent::Missing),
                    // "Not defined" is what some servers say of files that are not there.
                    tftp::UNDEFINED => Refusal::Absent(Absent::Missing),
                    code => {
                        let text: String =
                            String::from_utf8_lossy(message).chars().take(80).collect();
                        Trouble::Odd(format!("TFTP error {code} ({text})")).into()
                    }
                });
            }
            _ => return Ok(false),
        }
        self.peer = Some(from);
        self.last.clear();
        tftp::ack(&mut self.last, self.blocks);
        Ok(true)
    }

    fn send(&self) -> io::Result<()> {
        let to = self.peer.unwrap_or(SocketAddr::V4(self.at));
        self.socket.send_to(&self.last, to).map(drop)
    }
}

/// A path as a request target has it; a query stays as it is.
fn escaped(path: &[u8]) -> String {
    let mut text = String::new();
    // A name with a query comes as the request had it.
    let as_sent = path.contains(&b'?');
    for byte in path {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/?=&;:@!$'()*+,".contains(byte);
        let plain = plain || as_sent && *byte == b'%';
        if plain {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
