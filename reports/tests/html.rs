//! The HTML report as a reader gets it.

#[path = "html/browser.rs"]
mod browser;
#[path = "html/rich.rs"]
mod rich;

use std::fs;
use std::path::{Path, PathBuf};

use bootstorm_reports::html;
use bootstorm_reports::report::Report;
use browser::Browser;

/// What a report of ten thousand phones may weigh.
const BYTES_MAX: usize = 5_000_000;

/// Where files of these tests stay, to be looked at.
fn place(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("html-report");
    fs::create_dir_all(&directory).expect("a directory below target");
    directory.join(name)
}

fn text(report: &Report) -> String {
    let mut out = Vec::new();
    html::write(report, &mut out).expect("written to memory");
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn ten_thousand_phones_stay_small() {
    let text = text(&rich::report(10_000));
    fs::write(place("ten-thousand.html"), &text).expect("written");
    assert!(text.len() < BYTES_MAX, "{} bytes", text.len());
}

#[test]
fn ten_thousand_phones_that_fail_each_for_another_reason_stay_small() {
    let text = text(&rich::all_different(10_000));
    fs::write(place("all-different.html"), &text).expect("written");
    assert!(text.len() < BYTES_MAX, "{} bytes", text.len());
    assert!(text.contains("\"in report.json\""));
}

#[test]
fn is_one_file_that_reaches_nothing() {
    let text = text(&rich::report(50));
    let policy = text.find("Content-Security-Policy").expect("a policy");
    assert!(policy < text.find("<style>").expect("a style sheet"));
    assert!(text.contains("default-src &#39;none&#39;"));
    for reference in [" src=\"", "url(", "@import", "<link", "<iframe", "<base"] {
        assert!(!text.contains(reference), "{reference}");
    }
}

#[test]
fn shows_what_matters_without_a_script() {
    let text = text(&rich::report(200));
    let (still, _) = text.split_once("<script").expect("a script");
    for wanted in [
        "phones provisioned",
        "<path class=\"s-settled\"",
        "<code>DISCOVER</code>",
        "Failures",
        "FLY-26",
        "tftp.oack without",
        "TFTP OACK tsize 421",
        "p99(&quot;boot&quot;)",
        "what it sent and received",
        "bootstorm run power-return",
    ] {
        assert!(still.contains(wanted), "{wanted}");
    }
}

#[test]
fn text_of_a_server_becomes_no_markup() {
    let text = text(&rich::report(200));
    assert!(text.contains("&lt;/script&gt;&lt;script&gt;"));
    assert!(!text.contains("<img") && !text.contains("<script>document.title"));
    assert!(!text.contains('\u{202e}'));
    // Data twice, and the script; none more.
    assert_eq!(text.matches("</script").count(), 3);
}

#[test]
fn a_reader_opens_a_failing_case_and_finds_a_phone() {
    let Some(browser) = Browser::start(&place("profile-of-the-reader")) else {
        return;
    };
    let file = place("report.html");
    fs::write(&file, text(&rich::report(1_000))).expect("written");
    browser.view(1_280, 900, "light");
    browser.open(&file);
    browser.picture(&place("desktop.png"), true);

    browser.click("a.cell.fail");
    browser.wait("document.querySelector('#dialog').open");
    let shown = browser.value("document.querySelector('#dialog').innerText");
    let shown = shown.as_str().expect("a text");
    for wanted in [
        "TFTP OACK tsize 421",
        "tftp.oack without",
        "</script><script>",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let evidence = "document.querySelector('#dialog li.evidence').textContent";
    assert_eq!(browser.value(evidence), "0.311 s  ←  TFTP OACK tsize 421");
    browser.picture(&place("case.png"), false);
    browser.click("#dialog button");
    browser.wait("!document.querySelector('#dialog').open");

    browser.value(
        "(() => { const box = document.querySelector('#phonebox input'); box.value = 'failed'; \
         box.dispatchEvent(new Event('input')); })()",
    );
    let found =
        "Number(document.querySelector('#phonebox [role=status]').textContent.split(' ')[0])";
    let failed = rich::report(1_000)
        .counts()
        .of(bootstorm_reports::run::Outcome::Failed);
    assert_eq!(browser.value(found), f64::from(failed));
    browser.click(".phones .item");
    browser.wait("document.querySelector('#dialog').open");
    browser.picture(&place("phone.png"), false);
    browser.click("#dialog button");

    browser.view(1_280, 900, "dark");
    browser.picture(&place("dark.png"), true);
    browser.view(390, 844, "light");
    browser.value("scrollTo({ top: 0, behavior: 'instant' })");
    browser.picture(&place("narrow-top.png"), false);
    browser.value("document.querySelector('#time').scrollIntoView({ behavior: 'instant' })");
    browser.picture(&place("narrow-time.png"), false);
    browser.value("document.querySelector('#steps').scrollIntoView({ behavior: 'instant' })");
    browser.picture(&place("narrow-steps.png"), false);
    browser.picture(&place("narrow.png"), true);
    let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.value(wide), 0);
    browser.view(794, 1_123, "light");
    browser.paper();
    browser.picture(&place("paper.png"), true);
    assert_eq!(browser.complaints(), [""; 0]);
    assert!(
        browser
            .requests()
            .iter()
            .all(|url| url.starts_with("file:"))
    );
    assert!(
        browser
            .value("document.title")
            .as_str()
            .is_some_and(|title| !title.contains("owned"))
    );
}
