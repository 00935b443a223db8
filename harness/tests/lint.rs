//! `bootstorm check --content`: right files have no finding, and each kind of fault is told with
//! its file and line.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use program::{Finished, bootstorm, run};
use tempfile::TempDir;

/// The files of every vendor, as `content` writes them.
fn site() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["content", "first-run", "--out", "site", "-q"];
    run(directory.path(), &arguments).expect(0);
    directory
}

fn check(directory: &Path, fleet: &str, further: &[&str]) -> Finished {
    let fleet = format!("first-run:{fleet}");
    let arguments = ["check", "--content", "site", "--fleet", &fleet];
    run(directory, &[&arguments[..], further].concat())
}

/// Changes a file of the site.
fn edit(directory: &Path, file: &str, from: &str, to: &str) {
    let path = directory.join("site").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds {from}: {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn append(directory: &Path, file: &str, text: &str) {
    let path = directory.join("site").join(file);
    let old = fs::read_to_string(&path).unwrap();
    fs::write(path, old + text).unwrap();
}

#[track_caller]
fn tells(finished: &Finished, expected: &[&str]) {
    for line in expected {
        assert!(finished.out.contains(line), "{line}\n{}", finished.out);
    }
}

#[test]
fn right_files_of_every_vendor_have_no_finding() {
    let site = site();
    for fleet in [
        "flyingvoice-web-page",
        "plug-n-dial-https",
        "gigaset-option-66",
        "gigaset-redirect",
        "gigaset-web-page",
        "auerswald-boot-file",
        "auerswald-redirect",
        "fanvil-sealed",
        "fanvil-static",
    ] {
        let finished = check(site.path(), fleet, &[]).expect(0);
        tells(&finished, &["0 errors, 0 warnings"]);
    }
    let arguments = ["check", "--content", "site", "--fleet", "first-run"];
    let finished = run(site.path(), &arguments).expect(0);
    let others = |line: &&str| line.contains(": warning: ") && !line.contains("a secret (");
    assert_eq!(finished.out.lines().find(others), None);
}

#[test]
fn tells_lines_that_models_do_not_take() {
    let site = site();
    let common = "y000000000000.cfg";
    append(
        site.path(),
        common,
        "acount.1.label=x\n\
         wui.https_enable=7\n\
         linekey.999.type=1\n\
         what is this\n\
         # a comment\n\
         and this\n",
    );
    let finished = check(site.path(), "flyingvoice-option66", &[]).expect(1);
    tells(
        &finished,
        &[
            "unknown key acount.1.label; did you mean account.1.label? (fip10 and 8 more)",
            "wui.https_enable = \"7\": expected",
            "linekey.999.type: more than the model has",
            "(what is this)",
            "(and this)",
        ],
    );
    // Ordered by line, each once.
    let text = fs::read_to_string(site.path().join("site").join(common)).unwrap();
    let line = text
        .lines()
        .position(|line| line == "what is this")
        .unwrap()
        + 1;
    tells(&finished, &[&format!("{common}:{line}: error: line not")]);
    tells(
        &finished,
        &[&format!("{common}:{}: error: line not", line + 2)],
    );
    assert_eq!(finished.out.matches("acount.1.label").count(), 1);
    // The index that some models have is none of the others' faults.
    assert!(!finished.out.contains("linekey.21"), "{}", finished.out);
}

#[test]
fn warns_of_keys_that_are_kept_and_look_miswritten() {
    let site = site();
    // Of families whose keys are all taken; the digits of an index are no slip.
    let text = "local_time.date_fromat=1\naccount.2.sip_sever_port=5060\naccount.2.labels=x\n";
    append(site.path(), "web/0021f200021c", text);
    let finished = check(site.path(), "flyingvoice-web-page", &[]).expect(0);
    tells(
        &finished,
        &[
            "warning: local_time.date_fromat is kept, and is no key that is known; did you mean \
             local_time.date_format?",
            "warning: account.2.sip_sever_port is kept, and is no key that is known; did you mean \
             account.2.sip_server_port?",
            "0 errors, 2 warnings",
        ],
    );
    // Of a model that keeps every key: what its phones are to hold says what was meant.
    let directory = site.path().join("site/method-tls/LR8051S");
    let file = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.is_file()
                && fs::read_to_string(path).is_ok_and(|it| it.contains("sip_server_port"))
        });
    let file = file.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("sip_server_port", "sip_sever_port")).unwrap();
    let finished = check(site.path(), "plug-n-dial-https", &[]).expect(0);
    tells(
        &finished,
        &[
            "warning: sip_sever_port is kept",
            "did you mean sip_server_port?",
        ],
    );
}

#[test]
fn tells_names_that_lead_nowhere_and_files_that_nobody_asks_for() {
    let site = site();
    let root = site.path().join("site");
    let boot = "boot files/y000000000000.boot";
    append(site.path(), boot, "include:config <absent.cfg>\n");
    append(
        site.path(),
        boot,
        "include:config <http://other.example.net/x.cfg>\n",
    );
    fs::rename(
        root.join("boot files/0021f2000195.cfg"),
        root.join("boot files/0021F2000195.cfg"),
    )
    .unwrap();
    fs::write(root.join("boot files/old.cfg"), "x").unwrap();
    fs::write(root.join("boot files/0021f2ffff01.cfg"), "x").unwrap();
    let finished = check(site.path(), "flyingvoice-boot-file", &[]).expect(1);
    tells(
        &finished,
        &[
            "boot files/y000000000000.boot:3: error: names boot files/absent.cfg, which is not there",
            "boot files/y000000000000.boot:4: warning: leads to another server",
            "boot files/y000000000000.boot:2: error: names boot files/0021f2000195.cfg, which is there \
             as boot files/0021F2000195.cfg only (fip10)",
            "boot files/old.cfg: note: no phone of the fleet asks for this file",
            "boot files/0021f2ffff01.cfg: note: no phone of the fleet has the MAC address",
            "warning: a secret (account.1.password) goes over the network as it is, by http; so do 1",
        ],
    );
    assert!(!finished.out.contains("s-0021F2"), "{}", finished.out);
}

#[test]
fn tells_files_of_another_kind_and_checksums_that_do_not_match() {
    let site = site();
    let page = "<html><body>404</body></html>\n";
    fs::write(site.path().join("site/y000000000000.cfg"), page).unwrap();
    let finished = check(site.path(), "flyingvoice-option66", &[]).expect(1);
    tells(&finished, &["y000000000000.cfg:1: error: "]);
    tells(
        &finished,
        &["the model does not read such a file here (fip10"],
    );

    let file = "000b/8200/000b820002d0.txt";
    append(site.path(), file, "x = 1\n");
    let finished = check(site.path(), "plug-n-dial", &[]).expect(1);
    tells(&finished, &[&format!("{file}:1: error: ")]);
    tells(&finished, &["the checksum file is of another version"]);
}

#[test]
fn tells_catalogues_of_another_product_and_versions_that_differ() {
    let site = site();
    let single = "maxwell single/provisioning.xml";
    edit(
        site.path(),
        single,
        "productID=\"mx3b\"",
        "productID=\"other\"",
    );
    let finished = check(site.path(), "gigaset-option-66", &[]).expect(1);
    tells(&finished, &[&format!("{single}:2: error: ")]);
    tells(&finished, &["made for another product or phone"]);

    let list = "maxwell-web/nvm/updates.xml";
    edit(
        site.path(),
        list,
        "2026-01-01_00:00:00",
        "2026-01-02_00:00:00",
    );
    let finished = check(site.path(), "gigaset-web-page", &[]).expect(1);
    tells(&finished, &["maxwell-web/nvm/7c2f80", ".xml:2: error: "]);
    fs::remove_file(site.path().join("site").join(list)).unwrap();
    let finished = check(site.path(), "gigaset-web-page", &[]).expect(1);
    tells(
        &finished,
        &[":4: error: names maxwell-web/nvm/updates.xml, which is not there"],
    );
}

#[test]
fn tells_sections_and_elements_that_models_do_not_have() {
    let site = site();
    let common = "comfortel-references/common.xml";
    edit(
        site.path(),
        common,
        "<sunday>false</sunday>",
        "<sundey>false</sundey>",
    );
    let references = "comfortel-references/references.xml";
    edit(
        site.path(),
        references,
        "</referencedSettings>",
        "  <URL>none.xml</URL>\n</referencedSettings>",
    );
    let own = "comfortel-references/own/000952000528.xml";
    edit(site.path(), own, "</name>", "</nome>");
    let finished = check(site.path(), "auerswald-options-66-67", &[]).expect(1);
    tells(
        &finished,
        &[
            &format!("{common}:6: error: line not taken over"),
            "did you mean sunday?",
            &format!(
                "{references}:6: error: names comfortel-references/none.xml, which is not there"
            ),
            &format!("{own}:5: error: "),
        ],
    );
}

#[test]
fn tells_files_that_do_not_open_and_options_that_are_unknown() {
    let site = site();
    let root = site.path().join("site");
    let own = |name: &str| -> Vec<_> {
        let names = fs::read_dir(root.join(name)).unwrap();
        let mut names: Vec<_> = names.map(|it| it.unwrap().file_name()).collect();
        names.retain(|it| it.to_string_lossy().starts_with("0c383e"));
        names.sort();
        names
    };
    let sealed = own("fanvil-sealed");
    let first = root.join("fanvil-sealed").join(&sealed[0]);
    let mut bytes = fs::read(&first).unwrap();
    bytes.rotate_left(5);
    fs::write(&first, bytes).unwrap();
    let second = root.join("fanvil-sealed").join(&sealed[1]);
    let bytes = fs::read(&second).unwrap();
    fs::write(&second, &bytes[..bytes.len() - 3]).unwrap();
    let finished = check(site.path(), "fanvil-sealed", &[]).expect(1);
    for name in &sealed[..2] {
        let name = name.to_string_lossy();
        tells(&finished, &[&format!("fanvil-sealed/{name}: error: ")]);
    }

    let plain = own("fanvil")[0].to_string_lossy().into_owned();
    let plain = format!("fanvil/{plain}");
    edit(
        site.path(),
        &plain,
        "Sip1 Register Port",
        "Syp1 Register Port",
    );
    let finished = check(site.path(), "fanvil-option-66", &[]).expect(1);
    tells(
        &finished,
        &[&format!(
            "{plain}:7: error: unknown key sip.syp1 register port; did you mean sip.sip1 register port?"
        )],
    );
}

#[test]
fn hostile_files_neither_lead_out_nor_stop_it() {
    let site = site();
    let root = site.path().join("site");
    fs::write(site.path().join("outside.cfg"), "secret.outside=1\n").unwrap();
    let own: Vec<_> = fs::read_dir(root.join("web")).unwrap().collect();
    let paths: Vec<_> = own.into_iter().map(|it| it.unwrap().path()).collect();
    fs::remove_file(&paths[0]).unwrap();
    std::os::unix::fs::symlink("../../outside.cfg", &paths[0]).unwrap();
    std::os::unix::fs::symlink("..", root.join("web/loop")).unwrap();
    fs::write(&paths[1], vec![0xff; 3 << 20]).unwrap();
    fs::write(&paths[2], "=".repeat(1 << 20)).unwrap();
    fs::write(&paths[3], "a=b\n".repeat(200_000)).unwrap();
    fs::write(&paths[4], "<a>".repeat(100_000)).unwrap();
    let finished = check(site.path(), "flyingvoice-web-page", &["--json"]).expect(1);
    assert!(!finished.out.contains("secret.outside"), "{}", finished.out);
    assert!(
        finished.out.starts_with("{\n  \"phones\": "),
        "{}",
        finished.out
    );
    assert!(finished.out.contains("\"severity\": \"error\""));
}

/// A server that ends with the test, however that ends.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn reads_the_files_behind_a_url() {
    let site = site();
    append(site.path(), "web/0021f200021c", "acount.1.label=x\n");
    // More than one block.
    append(site.path(), "web/0021f200021c", &"# more\n".repeat(500));
    let ports = ["dhcp", "tftp", "ftp", "http", "https", "sip", "ntp"];
    let ports: Vec<_> = ports.iter().map(|it| format!("--{it}-port")).collect();
    let mut arguments = vec!["serve", "first-run", "--content", "site"];
    arguments.extend(ports.iter().flat_map(|port| [port.as_str(), "0"]));
    let child = bootstorm(site.path(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut serving = Serving(child.unwrap());
    let lines = BufReader::new(serving.0.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let mut urls = Vec::new();
    while urls.len() < 3 {
        let line = lines.next().unwrap();
        let (name, at) = line.trim().rsplit_once(' ').unwrap();
        if ["http", "tftp", "ftp"].contains(&name.trim()) {
            urls.push(format!("{}://{at}", name.trim()));
        }
    }
    let fleet = "first-run:flyingvoice-web-page";
    let check = |url: &str| run(site.path(), &["check", "--content", url, "--fleet", fleet]);
    let found: Vec<_> = urls.iter().map(|url| check(url)).collect();
    drop(serving);
    for (url, finished) in urls.iter().zip(found) {
        let finished = finished.expect(1);
        let unknown = "web/0021f200021c:8: error: unknown key acount.1.label; did you mean";
        tells(&finished, &[unknown, "1 error,"]);
        // Nobody is there any more.
        let gone = check(url).expect(3);
        assert!(
            gone.err.contains("the server is not there: failed"),
            "{}",
            gone.err
        );
        assert!(gone.out.is_empty(), "{}", gone.out);
    }
    for (url, expected) in [
        ("ftps://127.0.0.1", "tftp:// only"),
        ("tftp://", "no host name"),
        ("ftp://127.0.0.1:99999/", "port"),
    ] {
        let refused = check(url).expect(2);
        assert!(refused.err.contains(expected), "{url}: {}", refused.err);
    }
}

#[test]
fn takes_the_phones_of_an_inventory() {
    let site = site();
    let list = "mac,profile\n0021f200021d,flyingvoice/fip10p\n0021f2aaaaaa,flyingvoice/fip13g\n";
    fs::write(site.path().join("phones.csv"), list).unwrap();
    let further = ["--inventory", "phones.csv"];
    let finished = check(site.path(), "flyingvoice-web-page", &further).expect(1);
    tells(
        &finished,
        &["as 2 phones would", "web/0021f2aaaaaa: error: is not there"],
    );
    let finished = check(site.path(), "flyingvoice-wab-page", &[]).expect(2);
    assert!(finished.err.contains("did you mean flyingvoice-web-page?"));
}
