//! The suites about servers at products that nobody here wrote, each with our content: what fails
//! there is committed with its reason, and any other failure, any pass that is not expected and any
//! other number of cases is a fault.
//!
//! The baseline is the one of the installed version. Of another version the nearest one is taken,
//! which is said; that alone is no fault, but what differs is: it has to be looked at, and a
//! baseline written for that version. With `BOOTSTORM_WRITE_BASELINES` in the environment the tests
//! write baselines (reasons are kept; those of new failures are for people to write) and the table.

#[path = "baselines/matrix.rs"]
mod matrix;
#[path = "baselines/products.rs"]
mod products;
#[path = "support/program.rs"]
mod program;
#[path = "support/servers.rs"]
#[expect(dead_code, reason = "not every server is a file server")]
mod servers;
#[path = "support/tool.rs"]
mod tool;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bootstorm::certify::baseline::Baseline;
use bootstorm_scenarios::mutant::Side;
use bootstorm_scenarios::suite::{self, Case};

use products::{ASYNC_TFTP, DNSMASQ, NGINX, Product, TFTPD_HPA, VSFTPD};
use program::{Finished, run};

/// Baselines are written instead of compared with when this is in the environment.
const WRITE: &str = "BOOTSTORM_WRITE_BASELINES";
/// Certifications in which the machine was too busy to judge a case are repeated; so often at most.
const VOID_RUNS: u32 = 3;
const VOID: i32 = 3;
/// Longest time of one certification, on a machine that has other work too.
const LIMIT: Duration = Duration::from_secs(100);

/// Some cases measure times, so products have the machine one after the other.
static TURN: Mutex<()> = Mutex::new(());

/// Where baselines are.
pub(crate) fn baselines_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/baselines")
}

fn is_writing() -> bool {
    std::env::var_os(WRITE).is_some()
}

/// Every case about a server.
fn cases() -> Vec<Case> {
    let suites = suite::read_built_in().unwrap_or_else(|faults| panic!("{faults}"));
    let about = suites
        .into_iter()
        .filter(|suite| suite.side == Side::Server);
    about.flat_map(|suite| suite.cases).collect()
}

/// The committed baselines with their files, by name.
fn baselines() -> Vec<(PathBuf, Baseline)> {
    let entries = fs::read_dir(baselines_directory()).expect("a directory");
    let mut paths: Vec<_> = entries.map(|it| it.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "toml"));
    paths.sort();
    let read = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).expect("readable");
        let baseline = Baseline::read(&path.display().to_string(), &text);
        (path, baseline.unwrap_or_else(|faults| panic!("{faults}")))
    });
    read.collect()
}

/// The numbers of a version, by which versions are near each other.
fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split(|letter: char| !letter.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).collect()
}

/// How far apart versions are: the first number that differs decides.
fn distance(some: &str, other: &str) -> Vec<u32> {
    let (some, other) = (numbers(some), numbers(other));
    let at = |numbers: &[u32], place| numbers.get(place).copied().unwrap_or(0);
    let places = 0..some.len().max(other.len());
    places
        .map(|place| at(&some, place).abs_diff(at(&other, place)))
        .collect()
}

/// The baseline of this version, or of the nearest one.
fn nearest<'a>(
    known: &'a [(PathBuf, Baseline)],
    product: &str,
    version: &str,
) -> Option<&'a (PathBuf, Baseline)> {
    let same = known.iter().filter(|(_, it)| it.product == product);
    same.min_by_key(|(_, it)| (it.version != version, distance(&it.version, version)))
}

fn certify(own: &Path, arguments: &[&str]) -> Finished {
    let arguments = [&["certify"][..], arguments].concat();
    let mut finished = run(own, &arguments);
    for _ in 1..VOID_RUNS {
        if finished.code == VOID {
            finished = run(own, &arguments);
        }
    }
    finished
}

/// Judges a product by every suite about servers.
fn is_as_known(product: &Product) {
    let Some(version) = (product.version)() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    // Servers read as other users.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let own = directory.path();
    let mut suites: Vec<_> = cases().into_iter().map(|case| case.suite).collect();
    suites.dedup();
    let suites = suites.iter().flat_map(|name| ["--suite", name]);
    let content: Vec<_> = ["content", "--out", "tree"]
        .into_iter()
        .chain(suites)
        .collect();
    run(own, &content).expect(0);

    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(running) = (product.start)(own) else {
        return;
    };
    let subjects = running.subjects.iter();
    let mut arguments: Vec<_> = subjects.flat_map(|it| ["--subject", it.as_str()]).collect();
    let ca = running.ca.as_ref().map(|ca| ca.display().to_string());
    arguments.extend(ca.iter().flat_map(|ca| ["--ca", ca.as_str()]));
    let known = baselines();
    let near = nearest(&known, product.name, &version);
    let path = near.map(|(path, _)| path.display().to_string());
    arguments.extend(path.iter().flat_map(|path| ["--baseline", path.as_str()]));
    if is_writing() {
        let new = ["--product", product.name, "--product-version", &version];
        let file = format!("{}-{version}.toml", product.name);
        let file = baselines_directory().join(file).display().to_string();
        arguments.extend(new);
        arguments.extend(["--write-baseline", &file]);
        let _ = writeln!(std::io::stderr(), "{}", certify(own, &arguments).out);
        return;
    }
    let Some((path, baseline)) = near else {
        panic!("no baseline of {}: {WRITE}=1 writes one", product.name);
    };
    if baseline.version != version {
        let path = path.display();
        let _ = writeln!(
            std::io::stderr(),
            "{} {version} is compared with {path}; {WRITE}=1 writes one of its own",
            product.name
        );
    }
    let began = Instant::now();
    let finished = certify(own, &arguments).expect(0);
    let took = began.elapsed();
    assert!(finished.out.contains("as known of"), "{}", finished.out);
    assert!(took < LIMIT, "{} took {took:?}", product.name);
    let _ = writeln!(std::io::stderr(), "{} {version}: {took:.0?}", product.name);
}

#[test]
fn tftpd_hpa_is_as_known() {
    is_as_known(&TFTPD_HPA);
}

#[test]
fn dnsmasq_is_as_known() {
    is_as_known(&DNSMASQ);
}

#[test]
fn nginx_is_as_known() {
    is_as_known(&NGINX);
}

#[test]
fn vsftpd_is_as_known() {
    is_as_known(&VSFTPD);
}

#[test]
fn async_tftp_is_as_known() {
    is_as_known(&ASYNC_TFTP);
}

#[test]
fn baselines_are_about_the_cases_that_there_are() {
    let cases = cases();
    let mut faults = Vec::new();
    for (path, baseline) in baselines() {
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let expected = format!("{}-{}.toml", baseline.product, baseline.version);
        if name != expected {
            faults.push(format!("{name} should be called {expected}"));
        }
        for fault in matrix::faults(&baseline, &cases) {
            faults.push(format!("{name}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_of_all_products_is_up_to_date() {
    let path = baselines_directory().join("README.md");
    let before = fs::read_to_string(&path).expect("readable");
    let baselines: Vec<_> = baselines().into_iter().map(|(_, it)| it).collect();
    let after = matrix::renewed(&before, &matrix::text(&baselines, &cases()));
    if is_writing() {
        fs::write(&path, after).expect("writable");
        return;
    }
    assert!(
        before == after,
        "README.md is old: {WRITE}=1 renews it:\n{after}"
    );
}

#[test]
fn the_nearest_version_is_taken() {
    let of = |product: &str, version: &str| {
        let baseline = Baseline {
            product: product.to_owned(),
            version: version.to_owned(),
            ..Baseline::default()
        };
        (PathBuf::new(), baseline)
    };
    let known = [
        of("a", "1.9.1"),
        of("a", "1.22.1"),
        of("a", "2.0"),
        of("b", "1.10"),
    ];
    for (installed, expected) in [
        ("1.22.1", "1.22.1"),
        ("1.24", "1.22.1"),
        ("3", "2.0"),
        ("1.8", "1.9.1"),
    ] {
        let found = nearest(&known, "a", installed).map(|(_, it)| it.version.as_str());
        assert_eq!(found, Some(expected), "{installed}");
    }
    assert_eq!(nearest(&known, "c", "1"), None);
}
