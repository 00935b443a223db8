//! `bootstorm certify` on a server that nobody here wrote, with our content.

use std::fs;
use std::path::Path;

use crate::program::{Finished, run};
use crate::servers::tftpd_hpa;

fn certify(directory: &Path, arguments: &[&str]) -> Finished {
    run(
        directory,
        &[&["certify", "--vendor", "protocol"], arguments].concat(),
    )
}

fn of_cases<'a>(cases: &[&'a str]) -> Vec<&'a str> {
    cases.iter().flat_map(|case| ["--case", case]).collect()
}

#[test]
fn a_real_server_with_our_content_is_as_its_baseline_says() {
    let directory = tempfile::tempdir().expect("as the test made it");
    let tree = directory.path().join("tree");
    let out = tree.to_str().expect("as the test made it");
    run(
        directory.path(),
        &["content", "--suite", "protocol", "--out", out],
    )
    .expect(0);
    assert!(directory.path().join("tree.server.toml").is_file());
    let Some(server) = tftpd_hpa(&tree) else {
        return;
    };
    let subject = format!("tftp://127.0.0.1:{}", server.port);
    let cases = of_cases(&[
        "protocol/tftp-stray*",
        "protocol/tftp-n*",
        "protocol/http-get",
    ]);
    let arguments = [&["--subject", subject.as_str()][..], &cases].concat();
    let writing = [
        &["--write-baseline", "known.toml", "--product", "tftpd-hpa"][..],
        &arguments,
    ];
    certify(directory.path(), &writing.concat()).expect(1);
    let known =
        fs::read_to_string(directory.path().join("known.toml")).expect("as the test made it");
    assert!(known.contains("tftp-stray-answered-error-5"), "{known}");
    assert!(known.contains("applicable = 4"), "{known}");
    let comparing = [&["--baseline", "known.toml"][..], &arguments].concat();
    certify(directory.path(), &comparing).expect(0);
    let changed = known.replace("stray-answered-error-5", "netascii");
    fs::write(directory.path().join("known.toml"), changed).expect("as the test made it");
    let finished = certify(directory.path(), &comparing).expect(1);
    assert!(finished.out.contains("passes now"), "{}", finished.out);
    assert!(finished.out.contains("which is new"), "{}", finished.out);
}
