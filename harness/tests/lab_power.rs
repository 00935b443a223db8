//! Power switched by drivers that speak to programs nobody here wrote: net-snmp's agent with a port
//! table behind it, nginx, a shell, SIPp.

#[path = "support/program.rs"]
#[expect(dead_code, reason = "the drivers are called, not the command line")]
mod program;
#[path = "support/servers.rs"]
#[expect(dead_code, reason = "an agent and a user agent are no file servers")]
mod servers;
#[path = "support/tool.rs"]
mod tool;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bootstorm::lab::power::{Asking, Outlet, PowerFault};
use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::lab::{self, Action};
use servers::{Server, free_udp_port};
use tempfile::TempDir;
use tool::tool;

/// A table of one group with two ports behind a `pass` line of snmpd: 1 and 2. What is written into
/// pethPsePortAdminEnable is kept in a file, and pethPsePortDetectionStatus follows it, but for a
/// port whose file `dead.N` says that nothing is plugged in.
const TABLE: &str = r#"#!/bin/sh
base=.1.3.6.1.2.1.105.1.1.1
here=$(dirname "$0")
answer() {
    column=$(echo "${1#$base.}" | cut -d. -f1)
    port=${1##*.}
    case $1 in $base.3.1.[12] | $base.6.1.[12] | $base.10.1.[12]) ;; *) exit 0 ;; esac
    admin=$(cat "$here/admin.$port" 2>/dev/null || echo 1)
    case $column in
    3) value=$admin ;;
    6) if [ "$admin" = 2 ]; then value=1; elif [ -e "$here/dead.$port" ]; then value=2; else value=3; fi ;;
    10) value=$(cat "$here/class" 2>/dev/null || echo 3) ;;
    esac
    printf '%s\ninteger\n%s\n' "$1" "$value"
}
case $1 in
-g) answer "$2" ;;
-n) exit 0 ;;
-s)
    case $2 in $base.3.1.[12]) ;; *) echo not-writable; exit 0 ;; esac
    [ -e "$here/locked" ] && { echo not-writable; exit 0; }
    echo "$4" >"$here/admin.${2##*.}"
    echo "$4" >>"$here/log"
    ;;
esac
"#;

/// Answers for a person, or not.
struct Nobody;

impl Asking for Nobody {
    fn ask(&self, _: &str, _: Duration, _: &AtomicBool) -> Option<std::io::Result<bool>> {
        None
    }
}

/// The power of the one place of a lab whose `[power.x]` says this.
fn outlet(power: &str) -> Outlet {
    let text = format!(
        "name = \"test\"\nnetworks = [\"127.0.0.0/8\"]\n[subject]\ninterface = \"lo\"\n\
         address = \"127.0.0.1\"\n[power.x]\n{power}\n[[place]]\nname = \"left\"\n\
         mac = \"0021f2000001\"\nprofile = \"flyingvoice/fip13g\"\npower = \"x\"\nport = \"2\"\n\
         address = \"127.0.0.9\"\noff_s = 0.1\n"
    );
    let lab = lab::read("lab.toml", &text, &ProfileSet::built_in());
    let lab = lab.unwrap_or_else(|faults| panic!("{faults}"));
    Outlet::of(&lab, &lab.places[0]).expect("power")
}

fn act(outlet: &Outlet, action: Action) -> Result<String, PowerFault> {
    outlet.act(action, &AtomicBool::new(false), &Nobody)
}

/// net-snmp's agent on a loopback port, with the table; `None` where it is not installed.
fn agent(own: &Path) -> Option<Server> {
    let program = tool("snmpd", "snmpd")?;
    fs::write(own.join("table"), TABLE).expect("writable");
    let table = own.join("table").display().to_string();
    let text = format!(
        "rwcommunity private 127.0.0.1\ncreateUser lab SHA-256 authauth1 AES privpriv1\n\
         createUser old SHA authauth1 AES privpriv1\nrwuser lab priv\nrwuser old priv\n\
         pass .1.3.6.1.2.1.105.1.1.1 /bin/sh {table}\n"
    );
    let file = own.join("snmpd.conf");
    fs::write(&file, text).expect("writable");
    fs::write(own.join("community"), "private\n").expect("writable");
    fs::write(own.join("wrong"), "publik").expect("writable");
    fs::write(own.join("auth"), "authauth1").expect("writable");
    fs::write(own.join("privacy"), "privpriv1").expect("writable");
    let command = |port: u16| {
        let mut command = Command::new(&program);
        command
            .env("SNMP_PERSISTENT_DIR", own)
            .env("MIBS", "")
            .args(["-f", "-Lo", "-C", "-c"])
            .arg(&file)
            .arg("-p")
            .arg(own.join("pid"))
            .arg(format!("udp:127.0.0.1:{port}"));
        command
    };
    let server = Server::start(free_udp_port, command, has_udp_port);
    assert!(server.is_some(), "snmpd does not answer");
    server
}

/// Whether somebody has the port.
fn has_udp_port(port: u16) -> bool {
    UdpSocket::bind(("127.0.0.1", port)).is_err()
}

fn by_community(own: &Path, port: u16, secret: &str) -> Outlet {
    let secret = own.join(secret).display().to_string();
    outlet(&format!(
        "driver = \"snmp\"\nagent = \"127.0.0.1:{port}\"\nversion = \"2c\"\ntries = 2\n\
         timeout_s = 1\nsettle_s = 0.6\ncommunity = {{ file = \"{secret}\" }}"
    ))
}

fn by_user(own: &Path, port: u16, who: &str, privacy: &str) -> Outlet {
    let file = |name: &str| own.join(name).display().to_string();
    let (auth, privacy) = (file("auth"), file(privacy));
    outlet(&format!(
        "driver = \"snmp\"\nagent = \"127.0.0.1:{port}\"\nversion = \"3\"\ntries = 2\n\
         timeout_s = 1\n{who}\nauth_secret = {{ file = \"{auth}\" }}\n\
         privacy_secret = {{ file = \"{privacy}\" }}"
    ))
}

fn log(own: &Path) -> String {
    fs::read_to_string(own.join("log")).unwrap_or_default()
}

#[test]
fn a_port_loses_its_power_and_gets_it_back_by_version_2c() {
    let own = TempDir::new().expect("a directory");
    let Some(agent) = agent(own.path()) else {
        return;
    };
    let power = by_community(own.path(), agent.port, "community");
    act(&power, Action::Off).expect("switched");
    let told = act(&power, Action::On).expect("switched");
    assert_eq!(told, "port 2: deliveringPower (3), class 2");
    assert_eq!(log(own.path()), "2\n1\n");
    fs::write(own.path().join("class"), "0").expect("writable");
    let told = act(&power, Action::On).expect("switched");
    assert_eq!(told, "port 2: deliveringPower (3)", "a class that is none");
    act(&power, Action::Off).expect("switched");
    let held = fs::read_to_string(own.path().join("admin.2")).expect("written");
    assert_eq!(held, "2\n");
}

#[test]
fn an_answer_about_another_port_is_none() {
    let own = TempDir::new().expect("a directory");
    fs::write(own.path().join("community"), "private").expect("writable");
    let agent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = agent.local_addr().expect("bound").port();
    let limit = Some(Duration::from_secs(10));
    agent.set_read_timeout(limit).expect("a time limit");
    let power = by_community(own.path(), port, "community");
    let told = std::thread::scope(|scope| {
        let switching = scope.spawn(|| act(&power, Action::Off));
        for _ in 0..2 {
            let mut buffer = [0; 512];
            let (length, from) = agent.recv_from(&mut buffer).expect("a request");
            let behind = |what: &[u8]| {
                let mut windows = buffer.windows(what.len());
                windows.position(|it| it == what).expect("there") + what.len()
            };
            let kind = behind(b"private");
            let row = behind(&[0x2b, 6, 1, 2, 1, 105, 1, 1, 1, 3, 1]);
            assert_eq!((buffer[kind], buffer[row]), (0xa3, 2), "a set of port 2");
            (buffer[kind], buffer[row]) = (0xa2, 1);
            agent.send_to(&buffer[..length], from).expect("sent");
        }
        switching.join().expect("no panic").expect_err("not done")
    });
    assert!(told.to_string().contains("asked 2 times"), "{told}");
}

#[test]
fn a_port_is_switched_by_version_3_with_authentication_and_privacy() {
    let own = TempDir::new().expect("a directory");
    let Some(agent) = agent(own.path()) else {
        return;
    };
    for who in [
        "user = \"lab\"\nauth = \"sha-256\"",
        "user = \"old\"\nauth = \"sha\"",
    ] {
        let power = by_user(own.path(), agent.port, who, "privacy");
        act(&power, Action::Off).expect("switched");
        let told = act(&power, Action::On).expect("switched");
        assert_eq!(told, "port 2: deliveringPower (3), class 2", "{who}");
    }
    assert_eq!(log(own.path()), "2\n1\n2\n1\n");
    let wrong = by_user(
        own.path(),
        agent.port,
        "user = \"lab\"\nauth = \"sha-256\"",
        "auth",
    );
    let fault = act(&wrong, Action::Off).expect_err("another pass phrase");
    let told = fault.to_string();
    assert!(!told.contains("authauth1"), "{told}");
    let unknown = by_user(own.path(), agent.port, "user = \"nobody\"", "privacy");
    act(&unknown, Action::Off).expect_err("an unknown user");
    assert_eq!(log(own.path()), "2\n1\n2\n1\n", "nothing was switched");
}

#[test]
fn a_dead_port_a_switch_that_refuses_and_one_that_is_silent_are_told_apart() {
    let own = TempDir::new().expect("a directory");
    let Some(agent) = agent(own.path()) else {
        return;
    };
    let power = by_community(own.path(), agent.port, "community");
    fs::write(own.path().join("dead.2"), "").expect("writable");
    let dead = act(&power, Action::On).expect_err("nothing is plugged in");
    assert_eq!(
        dead.to_string(),
        "power 'x' took on of port 2, but after 0.6 s pethPsePortDetectionStatus is searching (2)"
    );
    fs::write(own.path().join("locked"), "").expect("writable");
    let refused = act(&power, Action::Off).expect_err("it is locked");
    assert_eq!(
        refused.to_string(),
        "power 'x' refused set pethPsePortAdminEnable.1.2=2: notWritable (17)"
    );
    let wrong = by_community(own.path(), agent.port, "wrong");
    let silent = act(&wrong, Action::On).expect_err("another community");
    let told = silent.to_string();
    assert!(
        told.contains("did not answer") && told.contains("asked 2 times"),
        "{told}"
    );
    assert!(!told.contains("publik"), "{told}");
}

#[test]
fn a_secret_that_is_not_there_is_told_before_anything_is_sent() {
    let power = "driver = \"snmp\"\nagent = \"127.0.0.1:9\"\nversion = \"2c\"\n";
    let unset = outlet(&format!(
        "{power}community = {{ env = \"BOOTSTORM_TEST_UNSET\" }}"
    ));
    let told = act(&unset, Action::On).expect_err("no secret").to_string();
    assert_eq!(
        told,
        "power 'x' has no secret: the environment variable BOOTSTORM_TEST_UNSET is not set"
    );
    let gone = outlet(&format!(
        "{power}community = {{ file = \"/nowhere/at-all\" }}"
    ));
    let told = act(&gone, Action::On).expect_err("no secret").to_string();
    assert!(told.contains("failed to read /nowhere/at-all"), "{told}");
}

/// Takes one request, and answers it with a status.
fn answered(listener: &TcpListener, status: &str) -> String {
    let (mut stream, _) = listener.accept().expect("a connection");
    let patience = Some(Duration::from_millis(300));
    stream.set_read_timeout(patience).expect("a time");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1_024]);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
        if String::from_utf8_lossy(&bytes).contains("\"}") {
            break;
        }
    }
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).expect("writable");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_power_strip_is_sent_what_the_lab_file_says() {
    let own = TempDir::new().expect("a directory");
    let secret = own.path().join("secret");
    fs::write(&secret, "hush{port}\n").expect("writable");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let secret = secret.display();
    let power = outlet(&format!(
        "driver = \"http\"\nuser = \"lab\"\nsecret = {{ file = \"{secret}\" }}\ntimeout_s = 1\n\
         cycle = {{ method = \"PUT\", url = \"http://{at}/outlet/{{port}}?m={{mac:colon}}\", \
         headers = {{ X-Key = \"{{secret}}\" }}, body = '{{\"state\": \"{{place}}\"}}', \
         expect = [202] }}"
    ));
    let switched = std::thread::scope(|scope| {
        let switching = scope.spawn(|| act(&power, Action::Cycle));
        let asked = answered(&listener, "202 Accepted");
        assert!(
            asked.starts_with("PUT /outlet/2?m=00:21:f2:00:00:01 HTTP/1.1"),
            "{asked}"
        );
        assert!(
            asked.contains("x-key: hush{port}"),
            "a secret has no holes: {asked}"
        );
        assert!(
            asked.contains("authorization: Basic bGFiOmh1c2h7cG9ydH0="),
            "{asked}"
        );
        assert!(asked.ends_with("{\"state\": \"left\"}"), "{asked}");
        switching.join().expect("no panic")
    });
    assert_eq!(switched.expect("switched"), "PUT answered 202");
    let refused = std::thread::scope(|scope| {
        let switching = scope.spawn(|| act(&power, Action::Cycle));
        answered(&listener, "200 OK");
        switching
            .join()
            .expect("no panic")
            .expect_err("another status")
    });
    assert!(
        refused.to_string().ends_with("it answered 200"),
        "{refused}"
    );
    let silent = act(&power, Action::Cycle).expect_err("nobody accepts");
    assert!(matches!(silent, PowerFault::Silent { .. }), "{silent}");
    drop(listener);
    let gone = act(&power, Action::Cycle)
        .expect_err("nobody listens")
        .to_string();
    assert!(gone.contains("refused") && !gone.contains("hush"), "{gone}");
}

#[test]
fn a_redirect_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let power = outlet(&format!(
        "driver = \"http\"\ncycle = {{ url = \"http://{at}/\" }}\ntimeout_s = 1"
    ));
    let told = std::thread::scope(|scope| {
        let switching = scope.spawn(|| act(&power, Action::Cycle));
        answered(&listener, "302 Found\r\nLocation: http://192.0.2.1/");
        switching.join().expect("no panic").expect_err("not done")
    });
    assert!(told.to_string().ends_with("it answered 302"), "{told}");
}

#[test]
fn a_program_gets_its_words_and_its_secret_and_is_ended_with_all_that_it_started() {
    let own = TempDir::new().expect("a directory");
    let (secret, out) = (own.path().join("secret"), own.path().join("out"));
    fs::write(&secret, "hush-hush").expect("writable");
    let (secret, out) = (secret.display(), out.display());
    let power = outlet(&format!(
        "driver = \"command\"\nsecret = {{ file = \"{secret}\" }}\n\
         on = [\"sh\", \"-c\", 'echo \"$1 $2 $LAB_SECRET\" > {out}', \"-\", \"{{port}}\", \"{{mac}} ;\"]\n\
         off = [\"sh\", \"-c\", 'echo \"no $LAB_SECRET today\" >&2; exit 7']"
    ));
    act(&power, Action::On).expect("switched");
    let written = fs::read_to_string(out.to_string()).expect("written");
    assert_eq!(written, "2 0021f2000001 ; hush-hush\n");
    let told = act(&power, Action::Off).expect_err("it failed").to_string();
    assert!(told.ends_with("exit status 7: no … today"), "{told}");
    // One secret lies where the complaint is cut, the next beyond.
    let long = outlet(&format!(
        "driver = \"command\"\nsecret = {{ file = \"{secret}\" }}\non = [\"true\"]\n\
         off = [\"sh\", \"-c\", 's=$LAB_SECRET; printf %s%02035d%s%s $s 0 $s $s >&2; exit 7']"
    ));
    let told = act(&long, Action::Off).expect_err("it failed").to_string();
    let zeros = "0".repeat(2_035);
    assert!(
        told.ends_with(&format!("exit status 7: …{zeros}…")),
        "{told}"
    );
    let slow = outlet(&format!(
        "driver = \"command\"\ntimeout_s = 0.3\n\
         cycle = [\"sh\", \"-c\", '(sleep 2; echo late > {out}) & sleep 60']"
    ));
    let began = Instant::now();
    let told = act(&slow, Action::Cycle)
        .expect_err("it takes too long")
        .to_string();
    assert!(
        told.contains("did not answer") && told.contains("0.3 s"),
        "{told}"
    );
    assert!(began.elapsed() < Duration::from_secs(2));
    std::thread::sleep(Duration::from_millis(2_500));
    let written = fs::read_to_string(out.to_string()).expect("written");
    assert!(!written.contains("late"), "what it had started went on");
    let none = outlet("driver = \"command\"\ncycle = [\"/nowhere/pdu\"]");
    let told = act(&none, Action::Cycle)
        .expect_err("no such program")
        .to_string();
    assert!(told.contains("No such file"), "{told}");
}

/// The file with the ids of programs that nothing ends but the test.
struct Daemons(PathBuf);

impl Daemons {
    fn ids(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(self.ids()).status();
    }
}

#[test]
fn a_daemon_that_holds_a_programs_complaints_is_not_waited_for() {
    let own = TempDir::new().expect("a directory");
    let daemons = Daemons(own.path().join("ids"));
    let ids = daemons.0.display();
    let daemon = format!("setsid sh -c \"echo \\$\\$ >>{ids}; exec sleep 8\" &");
    let power = outlet(&format!(
        "driver = \"command\"\non = [\"sh\", \"-c\", '{daemon}']\n\
         off = [\"sh\", \"-c\", '{daemon} echo no >&2; sleep 0.2; exit 7']"
    ));
    let began = Instant::now();
    act(&power, Action::On).expect("switched");
    let told = act(&power, Action::Off).expect_err("it failed").to_string();
    assert!(told.ends_with("exit status 7: no"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(6));
    let started = program::until(Duration::from_secs(5), || daemons.ids().len() == 2);
    assert!(started, "{:?}", daemons.ids());
}

#[test]
fn a_handset_is_told_to_reboot_by_check_sync() {
    let handset = UdpSocket::bind("127.0.0.9:0").expect("an address of loopback");
    let port = handset.local_addr().expect("bound").port();
    let power = outlet(&format!(
        "driver = \"check-sync\"\nsip_port = {port}\nuser = \"{{mac}}\"\ntimeout_s = 2"
    ));
    let told = std::thread::scope(|scope| {
        let switching = scope.spawn(|| act(&power, Action::Cycle));
        let mut buffer = [0; 2_048];
        let (length, from) = handset.recv_from(&mut buffer).expect("a NOTIFY");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(
            text.starts_with("NOTIFY sip:0021f2000001@127.0.0.9"),
            "{text}"
        );
        assert!(text.contains("Event: check-sync;reboot=true"), "{text}");
        let lines = text.lines().filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            ["Via", "From", "To", "Call-ID", "CSeq"].contains(&name)
        });
        let lines: Vec<&str> = lines.collect();
        let answer = format!(
            "SIP/2.0 200 OK\r\n{}\r\nContent-Length: 0\r\n\r\n",
            lines.join("\r\n")
        );
        handset.send_to(answer.as_bytes(), from).expect("sent");
        switching.join().expect("no panic")
    });
    assert_eq!(
        told.expect("told"),
        format!("127.0.0.9:{port} answered 200")
    );
    drop(handset);
    let silent = act(&power, Action::Cycle).expect_err("nobody is there");
    assert!(matches!(silent, PowerFault::Silent { .. }), "{silent}");
}

#[test]
fn without_a_terminal_nobody_is_waited_for() {
    let power = outlet("driver = \"person\"");
    let told = act(&power, Action::Reset).expect_err("nobody").to_string();
    assert_eq!(
        told,
        "power 'x' is a person, and there is no terminal to ask them on"
    );
}
