//! `report`: what `run` wrote, shown, merged and compared.

use std::fs;
use std::path::Path;

use crate::directory;
use crate::holds;
use crate::program::run;

/// A run in memory whose files lie in `out`.
fn recorded(directory: &Path, out: &str, further: &[&str]) {
    let mut arguments = vec!["run", "--attach", "memory", "--phones", "20", "--quiet"];
    arguments.extend(["--out", out]);
    arguments.extend(further);
    run(directory, &arguments).expect(0);
}

#[test]
fn a_run_leaves_every_file_and_show_prints_what_it_printed() {
    let directory = directory();
    let arguments = [
        "run", "--attach", "memory", "--phones", "20", "--out", "one",
    ];
    let printed = run(directory.path(), &arguments).expect(0).out;
    for (file, begins) in [
        ("report.json", "{\"schema\":\"bootstorm-report/1\""),
        (
            "junit.xml",
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites",
        ),
        ("report.html", "<!DOCTYPE html>"),
        ("summary.md", "## ✅ 20 of 20 phones provisioned"),
        ("metrics.prom", "# HELP bootstorm_run_info"),
    ] {
        let text = fs::read_to_string(directory.path().join("one").join(file)).expect(file);
        assert!(text.starts_with(begins), "{file}: {text}");
    }
    let shown = run(directory.path(), &["report", "show", "one"])
        .expect(0)
        .out;
    let places = "report: one/report.json\nreport: one/report.html\n";
    assert_eq!(printed, format!("{shown}{places}"));
    let json = run(
        directory.path(),
        &["report", "show", "one/report.json", "--json"],
    )
    .expect(0);
    let written = fs::read_to_string(directory.path().join("one/report.json")).expect("a file");
    assert_eq!(json.out, written);
    let quiet = run(directory.path(), &["report", "show", "one", "--quiet"]).expect(0);
    holds(&quiet.out, &["20 of 20 phones provisioned"]);
}

#[test]
fn parts_of_one_run_merge_and_other_reports_do_not() {
    let directory = directory();
    let parts = ["3", "7", "11"];
    for phone in parts {
        recorded(directory.path(), phone, &["--phone", phone]);
    }
    let merge = ["report", "merge", "7", "3", "11", "--out", "all"];
    let said = run(directory.path(), &merge).expect(0);
    holds(
        &said.out,
        &["3 of 3 phones provisioned", "report: all/report.json"],
    );
    for file in ["report.json", "junit.xml", "summary.md", "metrics.prom"] {
        assert!(directory.path().join("all").join(file).is_file(), "{file}");
    }
    let said = run(
        directory.path(),
        &["report", "merge", "3", "3", "--out", "x"],
    )
    .expect(2);
    holds(&said.err, &["phone 3 is in both reports"]);
    recorded(directory.path(), "other", &["--seed", "9"]);
    let said = run(
        directory.path(),
        &["report", "merge", "3", "other", "--out", "x"],
    )
    .expect(2);
    holds(&said.err, &["seed differs: 1 and 9"]);
    fs::write(directory.path().join("broken.json"), "{}").expect("a file");
    let said = run(
        directory.path(),
        &["report", "merge", "none", "broken.json", "3", "--out", "x"],
    );
    let said = said.expect(2);
    holds(
        &said.err,
        &["failed to read none", "broken.json: not a bootstorm report"],
    );
    assert!(!directory.path().join("x").exists());
}

#[test]
fn a_worse_second_run_is_a_regression() {
    let directory = directory();
    recorded(directory.path(), "good", &[]);
    fs::create_dir(directory.path().join("nothing")).expect("a directory");
    let arguments = [
        "run",
        "--attach",
        "memory",
        "--phones",
        "20",
        "--quiet",
        "--out",
        "bad",
        "--content",
        "nothing",
    ];
    run(directory.path(), &arguments).expect(1);
    let said = run(directory.path(), &["report", "compare", "good", "good"]).expect(0);
    holds(&said.out, &["No difference beyond the noise."]);
    let said = run(directory.path(), &["report", "compare", "good", "bad"]).expect(1);
    holds(
        &said.out,
        &[
            "Phones newly failing",
            "was provisioned",
            "Regression: 20 phones",
        ],
    );
    let markdown = ["report", "compare", "good", "bad", "--markdown"];
    let said = run(directory.path(), &markdown).expect(1);
    holds(
        &said.out,
        &["## ❌ Regression: 20 phones newly failing", "| --- |"],
    );
    let said = run(directory.path(), &["report", "compare", "bad", "good"]).expect(0);
    holds(&said.out, &["No regression: 20 phones fixed"]);
    run(
        directory.path(),
        &["report", "compare", "good", "bad", "--noise", "x"],
    )
    .expect(2);
}
