//! `bootstorm certify --inventory`: a server that nobody here wrote, with files of its own, judged
//! what its site says that each phone must get.

#[path = "support/program.rs"]
mod program;
#[expect(dead_code, reason = "only some of the servers")]
#[path = "support/servers.rs"]
mod servers;
#[path = "support/tool.rs"]
mod tool;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use program::{Finished, run};
use tempfile::TempDir;

/// Two phones of one vendor, of two models; one of another vendor; what each must hold.
const PHONES: &str = "\
mac,profile,account.1.label,account.1.password,sip.sip1 phone number
00:21:f2:00:00:07,flyingvoice/fip13g,Desk 7,Qzx7planted,
0021f2000008,flyingvoice/fip10p,Desk 8,Qzx8planted,
0c383e000001,fanvil/x6,,,301
";

/// The files of the site, below its directory.
fn site(own: &Path) {
    let files = own.join("tree/prov");
    fs::create_dir_all(&files).expect("a directory");
    let write = |name: &str, text: &str| fs::write(files.join(name), text).expect("a file");
    write("y000000000000.cfg", "local_time.time_zone=+1\n");
    write(
        "0021f2000007.cfg",
        "account.1.label=Desk 7\naccount.1.password=Qzx7planted\n",
    );
    write(
        "0021f2000008.cfg",
        "account.1.label=Desk 8\naccount.1.password=Qzx8planted\n",
    );
    fs::write(own.join("phones.csv"), PHONES).expect("a file");
}

fn certify(own: &Path, tftp: &str, further: &[&str]) -> Finished {
    let about = ["certify", "--vendor", "flyingvoice", "--subject", tftp];
    run(own, &[&about[..], further].concat())
}

#[track_caller]
fn tells(finished: &Finished, expected: &[&str]) {
    for line in expected {
        let (out, err) = (&finished.out, &finished.err);
        assert!(out.contains(line), "{line}\n{out}{err}");
    }
}

#[test]
fn a_site_is_judged_by_its_inventory() {
    let directory = TempDir::new().expect("a directory");
    let own = directory.path();
    fs::set_permissions(own, fs::Permissions::from_mode(0o755)).expect("ours");
    site(own);
    let Some(server) = servers::tftpd_hpa(&own.join("tree")) else {
        return;
    };
    let tftp = format!("tftp://127.0.0.1:{}", server.port);
    let inventory = ["--inventory", "phones.csv", "--root", "prov"];
    // Its own content is right, and ours is not there.
    let finished = certify(own, &tftp, &inventory).expect(0);
    tells(
        &finished,
        &[
            "1 pass",
            "does not serve this case's files by tftp",
            "no --subject has dhcp; pnp; http",
        ],
    );
    // One phone's file says something else: that phone is named, and no secret.
    let file = own.join("tree/prov/0021f2000008.cfg");
    fs::write(
        &file,
        "account.1.label=Desk 8\naccount.1.password=Qzx8served\n",
    )
    .expect("a file");
    let finished = certify(own, &tftp, &inventory).expect(1);
    tells(
        &finished,
        &[
            "1 fail",
            "1 of 2 phones, first 0021f2000008",
            "account.1.password",
        ],
    );
    for secret in ["Qzx7planted", "Qzx8planted", "Qzx8served"] {
        for entry in fs::read_dir(own.join("bootstorm-report")).expect("reports") {
            let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        assert!(!finished.out.contains(secret), "{}", finished.out);
    }
    // Without its file a phone gets nothing.
    fs::remove_file(&file).expect("there");
    let finished = certify(own, &tftp, &inventory).expect(1);
    tells(&finished, &["1 fail", "0021f2000008"]);
    // Cases about the inventory need one, with a phone of the vendor.
    let only = ["--case", "flyingvoice/server-holds-the-inventory-by-tftp"];
    tells(
        &certify(own, &tftp, &only).expect(3),
        &["needs --inventory"],
    );
    fs::write(own.join("others.csv"), "mac\n0c383e000001\n").expect("a file");
    let others = [&only[..], &["--inventory", "others.csv"]].concat();
    let finished = certify(own, &tftp, &others).expect(3);
    tells(&finished, &["the inventory has no phone of flyingvoice"]);
    // A MAC address says the vendor, the case the model.
    fs::write(
        own.join("bare.csv"),
        "mac,account.1.label\n0021f2000007,Desk 7\n",
    )
    .expect("a file");
    let bare = [&only[..], &["--inventory", "bare.csv", "--root", "/prov/"]].concat();
    tells(&certify(own, &tftp, &bare).expect(0), &["1 pass"]);
}

#[test]
fn faults_of_an_inventory_are_told_with_their_places() {
    let directory = TempDir::new().expect("a directory");
    let own = directory.path();
    let text = "mac,profile\n0021f2000007,flyingvoice/fip13\n0021f2000008,fanvil/x66\n";
    fs::write(own.join("phones.csv"), text).expect("a file");
    let tftp = "tftp://127.0.0.1:1";
    let finished = certify(own, tftp, &["--inventory", "phones.csv"]).expect(2);
    for expected in ["phones.csv:2:14", "did you mean", "phones.csv:3:14"] {
        assert!(finished.err.contains(expected), "{}", finished.err);
    }
    fs::write(own.join("phones.csv"), "mac\n0021f2000007\n").expect("a file");
    for root in ["a/../b", "a#b"] {
        let arguments = ["--inventory", "phones.csv", "--root", root];
        let finished = certify(own, tftp, &arguments).expect(2);
        assert!(finished.err.contains("--root"), "{}", finished.err);
    }
    let finished = certify(own, tftp, &["--root", "a"]).expect(2);
    assert!(finished.err.contains("--inventory"), "{}", finished.err);
    assert!(!own.join("bootstorm-report").exists(), "nothing was begun");
}
