//! `bootstorm lab` with a handset made of programs that nobody here wrote, on a segment of its own
//! whose switch is powered over SNMP.

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
use std::path::PathBuf;

use bootstorm_reports::case::{CaseResult, CaseVerdict};
use bootstorm_reports::json;
use bootstorm_reports::report::Report;
use place::{Lab, MAC, SERVER, SWITCH, WRITER, here};
use program::{Finished, Started};

/// Shorter than a user would set it.
const PAGE: &str = "boot_s=0.2\nrandom_delay_s=0.3\n";

/// The lab file of the segment; `power` says more of the switch, `place` of the handset's.
fn write(lab: &Lab, power: &str, place: &str) -> PathBuf {
    let secret = lab.space.path().join("community");
    fs::write(&secret, WRITER).expect("writable");
    let text = format!(
        "name = \"stand-in\"\nnetworks = [\"192.0.2.0/24\"]\n\
         [subject]\ninterface = \"eth0\"\naddress = \"{SERVER}\"\n\
         [power.switch]\ndriver = \"snmp\"\nagent = \"{SWITCH}\"\nversion = \"2c\"\n\
         timeout_s = 1\nsettle_s = 3\ncommunity = {{ file = \"{}\" }}\n{power}\n\
         [[place]]\nname = \"table\"\nmac = \"{MAC}\"\nprofile = \"stand-in/handset\"\n\
         suite = \"flyingvoice\"\npower = \"switch\"\naddress = \"192.0.2.50\"\noff_s = 0.3\n\
         link_s = 10\nrest_s = 4\nforgets = true\n{place}\n\
         [place.content.fleet]\nsource = \"dhcp\"\ntransport = \"tftp\"\nlayout = \"flat\"\n\
         web.pnp_enable = \"0\"\ncommon.\"local_time.time_zone\" = \"+1\"\n",
        secret.display()
    );
    let file = lab.space.path().join("lab.toml");
    fs::write(&file, text).expect("writable");
    file
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
        "own-file-after-common-file",
        "includes-in-order",
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
