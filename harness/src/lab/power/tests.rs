use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;

use bootstorm_emulator::profile::set::ProfileSet;
use bootstorm_scenarios::lab;

use super::*;

fn outlet() -> Outlet {
    let text = include_str!("../../../../scenarios/labs/sample.toml");
    let lab = lab::read("lab.toml", text, &ProfileSet::built_in());
    let lab = lab.unwrap_or_else(|faults| panic!("{faults}"));
    Outlet::of(&lab, &lab.places[1]).expect("power")
}

#[test]
fn fills_holes_once_and_leaves_other_braces_alone() {
    let outlet = outlet();
    let text = "{port} {mac} {mac:colon} {place} {address} {secret} {\"on\": {}} {x";
    assert_eq!(
        outlet.filled(text, Some("{port}")),
        "outlet-2 0021f2000002 00:21:f2:00:00:02 middle  {port} {\"on\": {}} {x"
    );
}

#[test]
fn nothing_is_sent_beyond_the_networks_of_the_lab() {
    let mut outlet = outlet();
    assert!(matches!(
        outlet.handset(),
        Err(PowerFault::NoAddress { .. })
    ));
    outlet.address = Some("192.0.2.9".parse().expect("v4"));
    let told = outlet.handset().expect_err("outside").to_string();
    assert_eq!(
        told,
        "power 'strip' is at 192.0.2.9, outside the lab's networks; nothing was sent"
    );
}

#[test]
fn a_person_is_waited_for_until_enter_or_until_their_time_is_over() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut writer = File::from(std::os::fd::OwnedFd::from(writer));
    let never = AtomicBool::new(false);
    let wait = |patience| person::entered(reader.as_fd(), patience, &never);
    writer.write_all(b"ye").expect("writable");
    assert!(!wait(Duration::from_millis(150)).expect("nothing wrong"));
    writer.write_all(b"s\n").expect("writable");
    assert!(wait(Duration::from_secs(10)).expect("nothing wrong"));
    let ended = AtomicBool::new(true);
    let patience = Duration::from_secs(10);
    assert!(!person::entered(reader.as_fd(), patience, &ended).expect("nothing wrong"));
    drop(writer);
    wait(Duration::from_secs(10)).expect_err("nobody is there any more");
}

#[test]
fn what_was_typed_before_a_question_is_no_answer() {
    /// Presses Enter when it is asked.
    struct Quick(File);
    impl std::io::Write for Quick {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let asked = bytes.contains(&b'\n');
            if asked {
                self.0.write_all(b"\n")?;
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let ends = nix::pty::openpty(None, None).expect("a terminal");
    let (slave, mut typing) = (ends.slave, File::from(ends.master));
    let never = AtomicBool::new(false);
    typing.write_all(b"early\n").expect("writable");
    std::thread::sleep(Duration::from_millis(100));
    let patience = Duration::from_millis(200);
    let ask = |output: &mut dyn std::io::Write, patience| {
        person::asked("please", (slave.as_fd(), output), patience, &never)
    };
    assert!(!ask(&mut std::io::sink(), patience).expect("nothing wrong"));
    let patience = Duration::from_secs(10);
    assert!(ask(&mut Quick(typing), patience).expect("nothing wrong"));
}

#[test]
fn a_switch_is_asked_for_nothing_that_it_cannot_do() {
    struct Nobody;
    impl Asking for Nobody {
        fn ask(&self, _: &str, _: Duration, _: &AtomicBool) -> Option<std::io::Result<bool>> {
            None
        }
    }
    let told = outlet().act(Action::Reset, &AtomicBool::new(false), &Nobody);
    assert_eq!(
        told.expect_err("none").to_string(),
        "power 'strip' of place middle has no reset"
    );
}
