//! `bootstorm lab` with a handset made of programs that nobody here wrote, on a segment of its own
//! whose switch is powered over SNMP.

#[path = "support/interrupt.rs"]
mod interrupt;
#[path = "stand_in/lab_file.rs"]
mod lab_file;
#[path = "stand_in/place.rs"]
#[expect(dead_code, reason = "the command line does what its helpers do")]
mod place;
#[path = "support/program.rs"]
#[expect(dead_code, reason = "each target runs its own programs")]
mod program;
#[path = "segment/space.rs"]
#[expect(dead_code, reason = "each target has its own segment")]
mod space;
#[path = "support/tool.rs"]
mod tool;

use std::fs;
use std::path::{Path, PathBuf};

use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_reports::json;
use bootstorm_reports::report::Report;
use interrupt::interrupt;
use place::{Lab, MAC, SERVER, WRITER, here};
use program::{Finished, Started};

/// Shorter than a user would set it.
const PAGE: &str = "boot_s=0.2\nrandom_delay_s=0.3\n";

/// The lab file of the segment; `power` says more of the switch, `place` of the handset's.
fn write(lab: &Lab, power: &str, place: &str) -> PathBuf {
    lab_file::write(lab, false, power, &format!("rest_s = 4\n{place}"))
}

fn place(lab: &Lab) -> String {
    format!("port = \"{}\"\n", lab.port)
}

/// `bootstorm lab VERB` on the server's host.
fn start(lab: &Lab, verb: &str, arguments: &[&str]) -> Started {
    let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
    command
        .current_dir(lab.space.path())
        .args(["lab", verb, "lab.toml"]);
    command.arg("--profiles").arg(here("profiles"));
    command.args(arguments);
    Started::new(&mut command)
}

fn report(lab: &Lab) -> Report {
    let file = lab.space.path().join("bootstorm-report/report.json");
    json::read(&mut fs::File::open(file).expect("a report")).expect("a report of ours")
}

fn verdicts(cases: &[CaseResult]) -> Vec<(&str, CaseVerdict, &str)> {
    let told = cases.iter();
    told.map(|case| (case.id.as_str(), case.verdict, case.reason.as_str()))
        .collect()
}

/// Whether the switch gives the handset's port power.
fn is_powered(lab: &Lab) -> bool {
    let mut command = lab.snmp("snmpget", WRITER);
    command.arg(lab.cell(3));
    lab.server.run(&mut command).trim() == "1"
}

#[test]
fn a_handset_is_judged_by_the_phones_suite_with_its_power_cycled_for_each_case() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    write(&lab, "", &place(&lab));
    let cases = [
        "names-are-tried-in-order",
        "reads-option-66",
        "pause-after-an-error",
    ];
    let cases = cases.map(|case| format!("flyingvoice/{case}"));
    let mut arguments = Vec::new();
    for case in &cases {
        arguments.extend(["--case", case.as_str()]);
    }
    let finished = start(&lab, "run", &arguments).finish();
    let Finished { out, err, .. } = finished.expect(0);
    assert!(
        out.contains("3 of 3 applicable cases passed"),
        "{out}\n{err}"
    );
    let report = report(&lab);
    for (id, verdict, reason) in verdicts(report.cases()) {
        assert_eq!((verdict, reason), (CaseVerdict::Pass, ""), "{id}");
    }
    assert!(
        lab.told().matches("power on").count() >= 3,
        "{}",
        lab.told()
    );
    assert!(is_powered(&lab));
}

#[test]
fn a_handset_that_is_never_at_rest_is_not_blamed_for_steps_that_were_not_taken() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    let file = write(&lab, "", &place(&lab));
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, text.replace("rest_s = 4", "rest_s = 60")).expect("writable");
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/suites/phone");
    let text = fs::read_to_string(suites.join("flyingvoice.toml")).expect("readable");
    let short = lab.space.path().join("short.toml");
    let text = text.replacen("deadline_s = 600", "deadline_s = 8", 1);
    fs::write(&short, text).expect("writable");
    let short = short.to_str().expect("text");
    let case = ["--case", "flyingvoice/check-sync-with-reboot"];
    let arguments = [&["--suite", short][..], &case].concat();
    start(&lab, "run", &arguments).finish().expect(3);
    let report = report(&lab);
    let [(_, verdict, reason)] = verdicts(report.cases())[..] else {
        panic!("one case");
    };
    assert_eq!(verdict, CaseVerdict::Inconclusive, "{reason}");
    let why = "the 8 s of the case were over before all its steps were taken";
    assert!(reason.starts_with(why), "{reason}");
}

#[test]
fn a_handset_that_never_links_is_a_fault_of_the_bench_and_gets_its_power_back() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    let file = write(&lab, "", &place(&lab));
    let text = fs::read_to_string(&file).expect("readable");
    let text = text
        .replace(MAC, "0021f20a00ff")
        .replace("link_s = 10", "link_s = 2");
    fs::write(&file, text).expect("writable");
    let cases = [
        "--case",
        "flyingvoice/names-*",
        "--case",
        "flyingvoice/no-leading-slash",
    ];
    start(&lab, "run", &cases).finish().expect(4);
    let report = report(&lab);
    let [(_, first, why), (_, second, left)] = verdicts(report.cases())[..] else {
        panic!("two cases");
    };
    assert_eq!(
        (first, second),
        (CaseVerdict::Error, CaseVerdict::Inconclusive)
    );
    assert!(
        why.contains("bench fault at place table: handset 0021f20a00ff never linked: within 2 s"),
        "{why}"
    );
    assert!(why.contains("interface eth0, which has a link"), "{why}");
    assert!(left.starts_with("not begun: "), "{left}");
    assert!(is_powered(&lab));
}

#[test]
fn a_switch_that_refuses_is_a_fault_of_the_bench() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    write(&lab, "", "port = \"9\"\n");
    let case = ["--case", "flyingvoice/names-are-tried-in-order"];
    start(&lab, "run", &case).finish().expect(4);
    let report = report(&lab);
    let why = &report.cases()[0].reason;
    assert!(
        why.contains("refused set pethPsePortAdminEnable.1.9=2: notWritable"),
        "{why}"
    );
}

#[test]
fn a_capture_that_ends_and_an_interface_that_is_missing_are_faults_of_the_bench() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    let capture =
        "capture = { command = [\"sh\", \"-c\", \"tcpdump -U -w - -i eth0 & sleep 2; kill $!\"] }";
    write(&lab, "", &format!("{}{capture}\n", place(&lab)));
    let case = ["--case", "flyingvoice/own-file-after-common-file"];
    start(&lab, "run", &case).finish().expect(4);
    let report = report(&lab);
    let why = &report.cases()[0].reason;
    assert!(why.contains("what listens to it ended"), "{why}");
    assert!(is_powered(&lab));
    write(
        &lab,
        "",
        &format!("{}capture = {{ interface = \"eht0\" }}\n", place(&lab)),
    );
    let told = start(&lab, "run", &case).finish().expect(4).err;
    assert!(
        told.contains("this machine has no interface eht0 (it has eth0, lo; did you"),
        "{told}"
    );
}

#[test]
fn a_handset_is_left_as_it_is_where_a_port_of_the_bench_is_busy() {
    if !space::needs(&[("socat", "socat")]) {
        return;
    }
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    let trace = lab.space.path().join("reset");
    let reset = format!(
        "[power.wipe]\ndriver = \"command\"\nreset = [\"touch\", \"{}\"]\n",
        trace.display()
    );
    write(&lab, &reset, &format!("{}reset = \"wipe\"\n", place(&lab)));
    lab.power(true);
    lab.wait_told("power on", 1);
    let powered = lab.told().matches("power o").count();
    let mut socat = lab.server.command("socat");
    socat.args(["-u", "UDP4-RECV:69", "OPEN:/dev/null"]);
    let mut holder = lab.server.start("socat", &mut socat);
    holder.wait_port(space::Port::Udp(69));
    let case = ["--case", "flyingvoice/names-are-tried-in-order"];
    start(&lab, "run", &case).finish().expect(4);
    let why = report(&lab).cases()[0].reason.clone();
    assert!(why.contains("the reference server does not run"), "{why}");
    assert!(!trace.exists(), "it was reset for nothing");
    assert_eq!(lab.told().matches("power o").count(), powered);
}

#[test]
fn power_comes_back_when_the_user_ends_the_run() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    // A capture that goes on although its shell is gone.
    let capture = "capture = { command = [\"sh\", \"-c\", \"tcpdump -U -w - -i eth0 | cat\"] }";
    let file = write(&lab, "", &format!("{}{capture}\n", place(&lab)));
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, text.replace("off_s = 0.3", "off_s = 60")).expect("writable");
    lab.power(true);
    let case = ["--case", "flyingvoice/names-are-tried-in-order"];
    for (verb, arguments) in [("run", &case[..]), ("twin", &[])] {
        let run = start(&lab, verb, arguments);
        let off = program::until(program::LIMIT, || !is_powered(&lab));
        assert!(off, "power was never taken");
        interrupt(&run.child);
        run.finish().expect(5);
        assert!(is_powered(&lab));
    }
}

#[test]
fn a_run_that_is_killed_leaves_the_interface_as_it_was() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    let file = write(&lab, "", &place(&lab));
    let text = fs::read_to_string(&file).expect("readable");
    fs::write(&file, text.replace("off_s = 0.3", "off_s = 60")).expect("writable");
    let listeners = |count: u32| {
        let told = lab.server.ip(&["-d", "link", "show", "eth0"]);
        told.contains(&format!("promiscuity {count} "))
    };
    assert!(listeners(0));
    let case = ["--case", "flyingvoice/names-are-tried-in-order"];
    let mut run = start(&lab, "run", &case);
    assert!(program::until(program::LIMIT, || listeners(1)));
    run.child.kill().expect("own child");
    run.child.wait().expect("own child");
    assert!(program::until(space::READY, || listeners(0)));
}

#[test]
fn a_handset_and_its_twin_are_shown_side_by_side_with_what_differs() {
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    let file = write(&lab, "", &place(&lab));
    // Its own profile says what its programs do, that of its vendor what the guide says.
    let Finished { out, .. } = start(&lab, "twin", &[]).finish().expect(0);
    assert!(out.contains("Handset and twin are alike in all"), "{out}");
    let text = fs::read_to_string(&file).expect("readable");
    let vendors = text.replace("stand-in/handset", "flyingvoice/fip13g");
    fs::write(&file, vendors).expect("writable");
    let Finished { out, .. } = start(&lab, "twin", &[]).finish().expect(1);
    let length = "length: twin 548 bytes, handset 300 bytes [FLY-62, FLY-63]";
    assert!(out.contains(length), "{out}");
    assert!(out.contains("option.60: twin "), "{out}");
    let directory = lab.space.path().join("bootstorm-report");
    let page = fs::read_to_string(directory.join("twin.html")).expect("a page");
    assert!(page.contains("tftp.rrq file=y000000000000.cfg"), "{out}");
    let told = fs::read(directory.join("twin.json")).expect("a file");
    let told = String::from_utf8(told).expect("text");
    assert!(told.matches("\"twin\": {").count() > 10, "{told}");
    // The same from a capture, where only the profile is known.
    let (capture, file) = lab.capture("boot.pcap");
    let case = ["--case", "flyingvoice/names-are-tried-in-order"];
    start(&lab, "run", &case).finish().expect(0);
    capture.end();
    let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
    command
        .current_dir(lab.space.path())
        .args(["lab", "twin", "--capture"]);
    command
        .arg(&file)
        .args(["--profile", "flyingvoice/fip13g", "--mac", MAC]);
    let Finished { out, .. } = Started::new(&mut command).finish().expect(1);
    assert!(out.contains(length), "{out}");
    let wrong = lab.space.path().join("lab.toml");
    let mut command = lab.server.command(env!("CARGO_BIN_EXE_bootstorm"));
    command.args([
        "lab",
        "twin",
        "--profile",
        "flyingvoice/fip13g",
        "--capture",
    ]);
    let told = Started::new(command.arg(wrong)).finish().expect(2).err;
    assert!(told.contains("lab.toml: byte 0: "), "{told}");
}

#[test]
fn a_real_server_beside_ours_has_the_files_of_the_case_for_as_long_as_it_lasts() {
    let Some(tftpd) = tool::tool("in.tftpd", "tftpd-hpa") else {
        return;
    };
    let Some(lab) = Lab::new(PAGE) else {
        return;
    };
    let root = lab.space.path().join("tftp");
    fs::create_dir(&root).expect("writable");
    fs::write(root.join("y000000000000.cfg"), "theirs").expect("writable");
    lab.server.address("eth0", "192.0.2.3/24");
    let mut command = lab.server.command(tftpd);
    command
        .args(["-L", "-u", "root", "-a", "192.0.2.3:69", "-s"])
        .arg(&root);
    let mut tftpd = lab.server.start("tftpd", &mut command);
    tftpd.wait_port(space::Port::Udp(69));
    let file = write(&lab, "", &place(&lab));
    let text = fs::read_to_string(&file).expect("readable");
    let own = format!("address = \"{SERVER}\"\n[power");
    assert!(text.contains(&own), "{text}");
    let real = format!(
        "address = \"{SERVER}\"\ntftp = \"tftp://192.0.2.3\"\ndirectory = \"{}\"\n[power",
        root.display()
    );
    fs::write(&file, text.replacen(&own, &real, 1)).expect("writable");
    let cases = ["names-are-tried-in-order", "includes-in-order"];
    let cases = cases.map(|case| format!("flyingvoice/{case}"));
    start(&lab, "run", &["--case", &cases[0], "--case", &cases[1]])
        .finish()
        // What includes lead to inside of it, nobody sees of a handset.
        .expect(3);
    let report = report(&lab);
    let exchange = report.cases()[1].exchange.join("\n");
    assert!(
        exchange.contains("192.0.2.3:69 tftp.rrq file=site/b.cfg"),
        "{exchange}"
    );
    let left: Vec<_> = fs::read_dir(&root).expect("there").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(fs::read(left[0].path()).expect("there"), b"theirs");
}
