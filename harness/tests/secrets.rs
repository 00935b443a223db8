//! Passwords planted in every field that can hold one, and looked for in everything that a run, a
//! judgement or a message leaves behind: plain, percent-encoded, in Base64 (HTTP Basic) and in
//! hexadecimal digits.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::path::Path;

use program::{Finished, run};
use tempfile::TempDir;

/// Words in the keys that hold secrets; `user` alone is a login's name.
const SECRET_WORDS: [&str; 4] = ["password", "pswd", "authname", "auth_name"];
/// Keys of sealed files: hexadecimal digits.
const SEAL_KEYS: [&str; 2] = ["device_key", "common_key"];
/// Keys of passwords in tables within a line, up to where the value begins.
const INLINE: [&str; 2] = ["password = \"", "password\" = \""];
const FLEETS: [(&str, &str); 3] = [
    (
        "first-run",
        include_str!("../../scenarios/fleets/first-run.toml"),
    ),
    (
        "every-way",
        include_str!("../../scenarios/fleets/every-way.toml"),
    ),
    (
        "acs-download",
        include_str!("../../scenarios/fleets/acs-download.toml"),
    ),
];

/// What every secret of a planting begins with; the letter tells one planting from another.
fn core(tag: char) -> String {
    format!("Qzx{tag}plant")
}

/// The scenario or suite with a planted secret in each field that holds one, and how many.
fn planted(text: &str, tag: char) -> (String, usize) {
    let mut count = 0;
    let lines = text.lines().map(|line| {
        let Some((key, value)) = assigned(line) else {
            // In tables within a line: one secret for all, so that what belongs together fits.
            let opening = INLINE.map(|key| (key, format!("{key}{}-", core(tag))));
            return opening.iter().fold(line.to_owned(), |line, (key, secret)| {
                count += line.matches(key).count();
                line.replace(key, secret)
            });
        };
        let name = key.trim_matches('"').to_lowercase();
        let name = name
            .strip_prefix("given.fleet.")
            .unwrap_or(&name)
            .to_owned();
        let secret = format!("{}{count:02}", core(tag));
        let value = if SEAL_KEYS.contains(&name.as_str()) {
            hex(secret.as_bytes()).repeat(8)[..64].to_owned()
        } else if name == "user" || SECRET_WORDS.iter().any(|word| name.contains(word)) {
            format!("{secret}-{value}")
        } else {
            return line.to_owned();
        };
        count += 1;
        format!("{key} = \"{value}\"")
    });
    let lines: Vec<String> = lines.collect();
    (lines.join("\n") + "\n", count)
}

/// `key = "value"`, where the key may be quoted.
fn assigned(line: &str) -> Option<(&str, &str)> {
    let end = match line.strip_prefix('"') {
        Some(quoted) => quoted.find('"')? + 2,
        None => line.find([' ', '='])?,
    };
    let (key, rest) = line.split_at(end);
    let value = rest.trim_start().strip_prefix('=')?.trim();
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    Some((key, value))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let of = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for at in 0..=three.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * at) & 63) as usize]));
        }
    }
    text
}

/// How the secrets of a planting show themselves: a name, the text, whether letters of either case
/// are the same.
fn disguises(tag: char) -> Vec<(&'static str, String, bool)> {
    let core = core(tag);
    let percent: String = core.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut found = vec![
        ("plain", core.to_lowercase(), true),
        ("percent-encoded", percent, true),
        ("hexadecimal", hex(core.as_bytes()), true),
    ];
    // Within a longer text the core begins at any of three places; what its neighbours change is
    // left off.
    for before in 0..3 {
        let text = base64(&[&vec![0; before], core.as_bytes()].concat());
        let first = [0, 2, 3][before];
        let whole = (before + core.len()) / 3 * 4;
        found.push(("Base64", text[first..whole].to_owned(), false));
    }
    found
}

/// Requires that nothing of the planting shows.
#[track_caller]
fn holds_no_secret(tag: char, name: &str, bytes: &[u8]) {
    let shown = secret_in(tag, bytes);
    assert!(
        shown.is_none(),
        "{name} shows a secret: {}",
        shown.unwrap_or_default()
    );
}

fn secret_in(tag: char, bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let lower = text.to_lowercase();
    disguises(tag)
        .into_iter()
        .find_map(|(how, secret, any_case)| {
            let text: &str = if any_case { &lower } else { &text };
            let at = text.find(&secret)?;
            let from = (0..=at.saturating_sub(120))
                .rev()
                .find(|at| text.is_char_boundary(*at))?;
            Some(format!("{how}: …{}", &text[from..at + secret.len()]))
        })
}

/// Requires that no file below a directory, and neither output, shows anything of the plantings.
fn looked_through(tags: &[char], said: &Finished, out: &Path) -> usize {
    let mut files = 0;
    for tag in tags {
        holds_no_secret(*tag, "standard output", said.out.as_bytes());
        holds_no_secret(*tag, "standard error", said.err.as_bytes());
        for entry in fs::read_dir(out).expect("a directory") {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("a file");
            holds_no_secret(*tag, &path.display().to_string(), &bytes);
            files += 1;
        }
    }
    files
}

#[test]
fn the_search_finds_each_disguise() {
    let secret = format!("{}07-x", core('A'));
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for text in [
        secret.to_uppercase(),
        percent,
        hex(secret.as_bytes()),
        base64(format!("u:{secret}").as_bytes()),
        base64(format!("us:{secret}").as_bytes()),
        base64(format!("use:{secret}").as_bytes()),
    ] {
        assert!(
            secret_in('A', format!("before {text} after").as_bytes()).is_some(),
            "{text}"
        );
        assert!(secret_in('B', text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn nothing_that_a_run_leaves_behind_shows_a_secret() {
    for (name, text) in FLEETS {
        let directory = TempDir::new().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let (meant, count) = planted(text, 'A');
        assert!(count > 1, "{name}");
        fs::write(at("meant.toml"), meant).expect("a file");
        fs::write(at("served.toml"), planted(text, 'B').0).expect("a file");
        let arguments = [
            "content",
            "served.toml",
            "--out",
            "tree",
            "--server",
            "10.213.0.1",
            "--phones",
            "120",
        ];
        let said = run(directory.path(), &arguments).expect(0);
        holds_no_secret('B', "content", said.out.as_bytes());
        holds_no_secret('B', "content", said.err.as_bytes());
        fs::create_dir(at("nothing")).expect("a directory");
        // What was meant; another's passwords; nothing at all.
        for (out, further) in [
            ("own", &["--events", "own/events.log"][..]),
            ("other", &["--content", "tree", "--events", "-"]),
            ("json", &["--content", "tree", "--json"]),
            (
                "none",
                &["--content", "nothing", "--events", "none/events.log"],
            ),
        ] {
            fs::create_dir(at(out)).expect("a directory");
            let mut arguments = vec!["run", "meant.toml", "--attach", "memory", "--phones", "120"];
            arguments.extend(["--out", out]);
            arguments.extend(further);
            let said = run(directory.path(), &arguments);
            assert!([0, 1].contains(&said.code), "{name} {out}: {}", said.err);
            let files = looked_through(&['A', 'B'], &said, &at(out));
            assert!(files >= 2 * 5, "{name} {out}: {files} files");
        }
    }
}

#[test]
fn secrets_show_when_they_are_to_be_kept() {
    let directory = TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::write(at("meant.toml"), planted(FLEETS[0].1, 'A').0).expect("a file");
    fs::write(at("served.toml"), planted(FLEETS[0].1, 'B').0).expect("a file");
    let content = [
        "content",
        "served.toml",
        "--out",
        "tree",
        "--server",
        "10.213.0.1",
        "--phones",
        "120",
    ];
    run(directory.path(), &content).expect(0);
    let arguments = [
        "run",
        "meant.toml",
        "--attach",
        "memory",
        "--phones",
        "120",
        "--content",
        "tree",
        "--keep-secrets",
    ];
    run(directory.path(), &arguments).expect(1);
    for file in ["report.json", "report.html", "junit.xml", "summary.md"] {
        let bytes = fs::read(at("bootstorm-report").join(file)).expect("a file");
        for tag in ['A', 'B'] {
            assert!(
                secret_in(tag, &bytes).is_some(),
                "{file} shows no difference"
            );
        }
    }
}

/// Every suite of a kind, with planted secrets and cases that all fail at their end, certified;
/// what came of it is looked through. How many secrets were planted.
fn certified(kind: &str, fails: &str, further: &[&str]) -> usize {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/suites");
    let mut planted_in_all = 0;
    for entry in fs::read_dir(suites.join(kind)).expect("the suites") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        let (text, count) = planted(&fs::read_to_string(&path).expect("a suite"), 'A');
        let text = text.replace("expect.wire = [", fails);
        planted_in_all += count;
        let directory = TempDir::new().expect("a directory");
        fs::write(directory.path().join("suite.toml"), text).expect("a file");
        let phones = ["--phones", &name];
        let phones = if kind == "phone" { &phones[..] } else { &[] };
        let arguments = [
            "certify",
            "--suite",
            "suite.toml",
            "--exchange",
            "--out",
            "out",
        ];
        let arguments = [&arguments[..], phones, further].concat();
        let said = run(directory.path(), &arguments).expect(1);
        let files = looked_through(&['A'], &said, &directory.path().join("out"));
        assert!(files >= 4, "{kind} {name}: {files} files");
    }
    planted_in_all
}

#[test]
fn no_result_of_a_case_shows_a_secret() {
    let fails = "expect.wire = [ { never_sent = \"dhcp.discover\", anywhere = true },";
    assert!(certified("phone", fails, &[]) > 10);
}

#[test]
fn no_result_of_a_case_about_a_server_shows_a_secret() {
    let fails = "expect.wire = [ { count_sent = \"tftp.rrq\", is = 77777 },";
    assert!(certified("server", fails, &["--attach", "memory"]) > 10);
}

#[test]
fn no_finding_about_a_file_shows_a_secret() {
    let directory = TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::write(at("meant.toml"), planted(FLEETS[0].1, 'A').0).expect("a file");
    fs::write(at("served.toml"), planted(FLEETS[0].1, 'B').0).expect("a file");
    let content = ["content", "served.toml", "--out", "tree", "--phones", "120"];
    // As it is; with keys that nobody knows; with lines that are none; with values that are cut.
    // What is told of each.
    type Damage = fn(&str) -> String;
    let damages: [(Damage, &str); 4] = [
        (str::to_owned, "account.1.password) goes over the network"),
        (
            |text| text.replace("assword", "asswords"),
            "account.1.passwords is kept, and is no key that is known",
        ),
        (
            |text| text.replace("assword=", "assword "),
            "not in the format's grammar (account.1.password***)",
        ),
        (
            |text| text.replace("assword", "asswort").replace("=\"", "=\"\""),
            "XML that is not well-formed",
        ),
    ];
    for (number, (damage, expected)) in damages.into_iter().enumerate() {
        // Anew, so that no damage is done to what another one changed.
        let _ = fs::remove_dir_all(at("tree"));
        run(directory.path(), &content).expect(0);
        let mut changed = 0;
        let mut directories = vec![at("tree")];
        while let Some(path) = directories.pop() {
            for entry in fs::read_dir(path).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    directories.push(path);
                } else if let Ok(text) = fs::read_to_string(&path) {
                    let damaged = damage(&text);
                    changed += usize::from(damaged != text);
                    fs::write(path, damaged).expect("a file");
                }
            }
        }
        assert_eq!(changed > 0, number > 0, "damage {number}: {changed} files");
        for further in [&[][..], &["--json"]] {
            let arguments = ["check", "--content", "tree", "--fleet", "meant.toml"];
            let said = run(directory.path(), &[&arguments[..], further].concat());
            assert!([0, 1].contains(&said.code), "{}", said.err);
            assert!(said.out.contains(expected), "{expected}: {}", said.out);
            for tag in ['A', 'B'] {
                holds_no_secret(tag, "standard output", said.out.as_bytes());
                holds_no_secret(tag, "standard error", said.err.as_bytes());
            }
        }
    }
}

#[test]
fn no_message_about_bad_input_shows_a_secret() {
    let directory = TempDir::new().expect("a directory");
    let bad = |key: &str, value: &str| {
        let (_, text) = FLEETS[1];
        let lines = text.lines().map(|line| match assigned(line) {
            Some((name, _)) if name == key => format!("{key} = \"{value}\""),
            _ => line.to_owned(),
        });
        let lines: Vec<String> = lines.collect();
        lines.join("\n")
    };
    for (key, value) in [
        ("password", "QzxAplant{x"),
        ("password", "QzxAplant{mac:x}"),
        ("device_key", "QzxAplant"),
        ("\"account.4.password\"", "QzxAplant{index"),
    ] {
        let file = directory.path().join("bad.toml");
        fs::write(&file, bad(key, value)).expect("a file");
        for arguments in [&["check", "bad.toml"][..], &["run", "bad.toml"]] {
            let said = run(directory.path(), arguments).expect(2);
            holds_no_secret('A', key, said.err.as_bytes());
            holds_no_secret('A', key, said.out.as_bytes());
        }
    }
    for url in [
        "http://u:QzxAplant@10.0.0.1:80/x",
        "foo://u:QzxAplant@127.0.0.1",
        "acs=http://u:QzxAplant@127.0.0.1:9/acs",
        "ftp://u:QzxAplant@127.0.0.1:21",
    ] {
        let said = run(directory.path(), &["run", "--subject", url]).expect(2);
        holds_no_secret('A', url, said.err.as_bytes());
    }
}
