//! The namespaces that other tests stand on: what is made, and that nothing of it stays.

#[path = "segment/space.rs"]
mod space;
#[path = "support/tool.rs"]
mod tool;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use space::{Port, Space, cable, needs};

fn exists(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

#[test]
fn hosts_at_a_switch_reach_each_other_and_a_cut_port_parts_them() {
    if !needs(&[("curl", "curl"), ("busybox", "busybox")]) {
        return;
    }
    let Some(space) = Space::new() else { return };
    let switch = space.switch("switch");
    let (server, client) = (space.host("server"), space.host("client"));
    let port = switch.plug(&server, "eth0");
    switch.plug(&client, "eth0");
    server.address("eth0", "192.0.2.1/24");
    client.address("eth0", "192.0.2.2/24");
    client.mac("eth0", "02:00:00:00:00:02");
    std::fs::write(space.path().join("file"), "here\n").expect("writable");
    let mut command = server.command("busybox");
    command.args(["httpd", "-f", "-p", "8080", "-h"]);
    let mut httpd = server.start("httpd", command.arg(space.path()));
    httpd.wait_port(Port::Tcp(8080));
    let ask = || {
        let mut curl = client.command("curl");
        curl.args(["-sS", "--max-time", "2", "http://192.0.2.1:8080/file"]);
        curl
    };
    assert_eq!(client.run(&mut ask()), "here\n");
    assert!(client.ip(&["link"]).contains("02:00:00:00:00:02"));
    switch.host.ip(&["link", "set", &port, "down"]);
    let output = ask().output().expect("curl");
    assert!(!output.status.success());
    // The file is served to nobody else: the first namespace has no way there.
    let outside = Command::new("curl")
        .args(["-sS", "--max-time", "1", "http://192.0.2.1:8080/file"])
        .stderr(Stdio::null())
        .status();
    assert!(!outside.expect("curl").success());
    httpd.end();
}

#[test]
fn a_panic_leaves_neither_namespaces_nor_programs() {
    if !needs(&[("socat", "socat")]) {
        return;
    }
    let Some(space) = Space::new() else { return };
    let mut left = None;
    let fault = catch_unwind(AssertUnwindSafe(|| {
        // It goes with the panic, behind what is in it.
        let space = space;
        let (one, other) = (space.host("one"), space.host("other"));
        cable((&one, "eth0"), (&other, "eth1"));
        // A program that starts another and does not end it.
        let mut command = one.command("sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]);
        let mut shell = one.start("shell", &mut command);
        shell.wait_text("\n");
        let mut socat = other.command("socat");
        socat.args(["-u", "UDP4-RECV:69", "OPEN:/dev/null"]);
        let mut listener = other.start("socat", &mut socat);
        listener.wait_port(Port::Udp(69));
        let sleeper = shell.log().trim().parse().expect("an id");
        let names = [one.name().to_owned(), other.name().to_owned()];
        assert!(names.iter().all(|it| exists(it)));
        left = Some((names, [shell.id(), listener.id(), sleeper]));
        panic!("on purpose");
    }));
    let fault = fault.expect_err("it panics");
    let Some((names, processes)) = left else {
        resume_unwind(fault);
    };
    assert!(!names.iter().any(|it| exists(it)), "{names:?}");
    let lives = |id: &u32| Path::new(&format!("/proc/{id}/exe")).exists();
    assert!(!processes.iter().any(lives), "{processes:?}");
}

#[test]
fn what_a_killed_test_left_is_removed_by_the_next() {
    if !needs(&[]) {
        return;
    }
    // The id of a process that has ended belongs to nobody for a while.
    let mut child = Command::new("true").spawn().expect("true");
    child.wait().expect("own child");
    let stale = format!("bootstorm-{}-0-left", child.id());
    // Where none can be made, this says so.
    if Space::new().is_none() {
        return;
    }
    let made = Command::new("ip").args(["netns", "add", &stale]).status();
    assert!(made.expect("ip").success());
    let space = Space::new().expect("as before");
    let host = space.host("host");
    assert!(!exists(&stale));
    assert!(exists(host.name()));
    let mut fast = host.command("true");
    let status = host.start("true", &mut fast).finish(Duration::from_secs(5));
    assert!(status.success());
}
