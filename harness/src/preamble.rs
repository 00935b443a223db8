//! Whether a subject is there at all, before phones are let loose on it. Its answers are not
//! judged: whatever it says, it is there.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::subject::Subject;

/// How long a service is waited for.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// After this without an answer a question is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long an error of ICMP takes at most, where silence means nothing.
const UNREACHABLE: Duration = Duration::from_millis(200);
/// A file that no server has: whatever is answered, an error too, is an answer (RFC 1350 §4).
const READ_REQUEST: &[u8] = b"\0\x01bootstorm-is-anybody-there\0octet\0";
/// Tells a server that nothing more is wanted of it (RFC 1350 §7).
const STOP: &[u8] = b"\0\x05\0\0only a question\0";
/// A keep-alive, which a SIP server passes over (RFC 5626 §3.5.1).
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";
/// Too short for a message, which a DHCP server passes over (RFC 2131 §2).
const NO_MESSAGE: &[u8] = b"\0";
/// Leap unknown, version 4, client (RFC 5905 §7.3); the rest is zero.
const NTP_FIRST: u8 = 0xe3;
const NTP_BYTES: usize = 48;

/// Asks every service that the user named, one after the other, for `patience` at most.
///
/// # Errors
/// What is not there, in one sentence without full stop: all services at once.
pub fn look(subject: &Subject, patience: Duration) -> Result<(), String> {
    let given = subject.given;
    let sip = subject
        .sip_port
        .map(|port| SocketAddrV4::new(subject.address, port));
    let streams = [
        ("ftp", subject.ftp.filter(|_| given.ftp)),
        ("http", subject.http.filter(|_| given.http)),
        ("https", subject.https.filter(|_| given.https)),
        ("acs", subject.acs.filter(|_| given.acs)),
        ("redirect", subject.redirect.filter(|_| given.redirect)),
    ];
    let mut absent = Vec::new();
    let mut note = |name: &str, at: SocketAddrV4, looked: Result<(), String>| {
        absent.extend(looked.err().map(|why| format!("{name} at {at}: {why}")));
    };
    for (name, at) in streams {
        if let Some(at) = at {
            note(name, at, accepts(at, patience));
        }
    }
    if let Some(at) = subject.tftp.filter(|_| given.tftp) {
        note("tftp", at, tftp(at, patience));
    }
    if let Some(at) = subject.ntp.filter(|_| given.ntp) {
        note("ntp", at, ntp(at, patience));
    }
    if let Some(at) = sip.filter(|_| given.sip) {
        note("sip", at, listens(at, KEEP_ALIVE));
    }
    if let Some(at) = subject.dhcp.filter(|_| given.dhcp) {
        note("dhcp", at, listens(at, NO_MESSAGE));
    }
    if absent.is_empty() {
        return Ok(());
    }
    Err(format!("the subject is not there: {}", absent.join("; ")))
}

/// Whether somebody accepts connections there, within `patience`.
///
/// # Errors
/// Why not, in words.
pub(crate) fn accepts(at: SocketAddrV4, patience: Duration) -> Result<(), String> {
    let made = TcpStream::connect_timeout(&SocketAddr::V4(at), patience);
    made.map(drop).map_err(|fault| match fault.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::TimedOut => format!("no connection within {} s", patience.as_secs_f64()),
        _ => fault.to_string(),
    })
}

/// A read request, which is answered from a port of the transfer's own; so an error of ICMP comes
/// to another socket, and an answer to this one.
fn tftp(at: SocketAddrV4, patience: Duration) -> Result<(), String> {
    if is_unreachable(at, STOP)? {
        return Err("port unreachable".to_owned());
    }
    let asking = open()?;
    match answered(&asking, READ_REQUEST, Some(at), patience)? {
        Some(from) => {
            // A transfer that was begun all the same is not to be waited for.
            let _ = asking.send_to(STOP, from);
            Ok(())
        }
        None => Err(silence("a read request", patience)),
    }
}

fn ntp(at: SocketAddrV4, patience: Duration) -> Result<(), String> {
    let mut request = [0; NTP_BYTES];
    if let Some(first) = request.first_mut() {
        *first = NTP_FIRST;
    }
    let asking = open()?;
    asking.connect(at).map_err(told)?;
    match answered(&asking, &request, None, patience)? {
        Some(_) => Ok(()),
        None => Err(silence("a request", patience)),
    }
}

/// Whether somebody listens at the port of a service that says nothing to strangers: one that only
/// hears PnP, or a DHCP server, whose answer would be a lease for nobody.
fn listens(at: SocketAddrV4, bytes: &[u8]) -> Result<(), String> {
    match is_unreachable(at, bytes)? {
        true => Err("port unreachable".to_owned()),
        false => Ok(()),
    }
}

/// Whether ICMP says that nobody listens; silence says nothing.
fn is_unreachable(at: SocketAddrV4, bytes: &[u8]) -> Result<bool, String> {
    let socket = open()?;
    socket.connect(at).map_err(told)?;
    socket.send(bytes).map_err(told)?;
    socket.set_read_timeout(Some(UNREACHABLE)).map_err(told)?;
    let heard = socket.recv(&mut [0; 1]);
    Ok(heard.is_err_and(|fault| fault.kind() == io::ErrorKind::ConnectionRefused))
}

/// Asks until there is an answer, or no patience left: who answered.
fn answered(
    socket: &UdpSocket,
    question: &[u8],
    to: Option<SocketAddrV4>,
    patience: Duration,
) -> Result<Option<SocketAddr>, String> {
    socket
        .set_read_timeout(Some(AGAIN.min(patience)))
        .map_err(told)?;
    let began = Instant::now();
    while began.elapsed() < patience {
        let sent = match to {
            Some(to) => socket.send_to(question, to),
            None => socket.send(question),
        };
        sent.map_err(told)?;
        match socket.recv_from(&mut [0; 2_048]) {
            Ok((_, from)) => return Ok(Some(from)),
            Err(fault) => match fault.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => {}
                io::ErrorKind::ConnectionRefused => return Err("port unreachable".to_owned()),
                _ => return Err(told(fault)),
            },
        }
    }
    Ok(None)
}

fn open() -> Result<UdpSocket, String> {
    UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).map_err(told)
}

fn told(fault: io::Error) -> String {
    match fault.kind() {
        io::ErrorKind::ConnectionRefused => "port unreachable".to_owned(),
        _ => fault.to_string(),
    }
}

fn silence(question: &str, patience: Duration) -> String {
    format!(
        "no answer to {question} within {} s",
        patience.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::subject::Given;

    const SOON: Duration = Duration::from_millis(300);

    fn socket() -> (UdpSocket, SocketAddrV4) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let SocketAddr::V4(at) = socket.local_addr().unwrap() else {
            panic!("v4");
        };
        (socket, at)
    }

    fn tftp_at(at: SocketAddrV4) -> Subject {
        Subject {
            tftp: Some(at),
            given: Given {
                tftp: true,
                ..Given::default()
            },
            ..Subject::at(Ipv4Addr::LOCALHOST)
        }
    }

    #[test]
    fn a_closed_port_is_told_at_once_for_every_service() {
        let (udp, at) = socket();
        drop(udp);
        let subject = Subject {
            dhcp: Some(at),
            http: Some(at),
            sip_port: Some(at.port()),
            ntp: Some(at),
            given: Given {
                dhcp: true,
                tftp: true,
                http: true,
                sip: true,
                ntp: true,
                ..Given::default()
            },
            ..tftp_at(at)
        };
        let began = Instant::now();
        let told = look(&subject, Duration::from_secs(9)).unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        for service in ["tftp", "ntp", "sip", "dhcp"] {
            let said = format!("{service} at {at}: port unreachable");
            assert!(told.contains(&said), "{told}");
        }
        assert!(
            told.contains(&format!("http at {at}: connection refused")),
            "{told}"
        );
        let own = Subject {
            given: Given::default(),
            ..subject
        };
        assert_eq!(look(&own, SOON), Ok(()), "the built-in one is not asked");
    }

    #[test]
    fn a_silent_server_is_given_up() {
        let (_kept, at) = socket();
        let told = look(&tftp_at(at), SOON).unwrap_err();
        assert!(
            told.contains("no answer to a read request within 0.3 s"),
            "{told}"
        );
    }

    #[test]
    fn whoever_answers_nonsense_is_there_and_is_told_to_stop() {
        let (server, at) = socket();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 600];
            let mut heard = Vec::new();
            server
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            while heard.len() < 3 {
                let Ok((length, from)) = server.recv_from(&mut buffer) else {
                    break;
                };
                heard.push(buffer[..length].to_vec());
                if buffer[1] == 1 {
                    server.send_to(b"nonsense", from).unwrap();
                }
            }
            heard
        });
        assert_eq!(look(&tftp_at(at), Duration::from_secs(5)), Ok(()));
        let heard = thread.join().unwrap();
        assert_eq!(heard, [STOP, READ_REQUEST, STOP]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(at) = listener.local_addr().unwrap() else {
            panic!("v4");
        };
        assert_eq!(accepts(at, SOON), Ok(()), "it need not even accept");
    }
}
