//! Whether a file is the one applied last, and with which key it is read.

use super::site::{Site, again, applied, phone, phone_of, phone_with};
use super::*;
use crate::phone::io::WebAction;

const URL: &str = "http://10.0.0.2/X4/$mac.cfg";

fn unchanged(step: StepId) -> EventKind {
    let file = File::Step(step);
    EventKind::Unchanged { file }
}

// FAN-09, FAN-136, FAN-137: each kind is fetched each run, and taken over only when its bytes
// differ.
#[test]
fn takes_a_file_over_only_when_it_changed() {
    let mut site = Site::new(&[
        (GENERAL, "account.1.label=a\n"),
        (DEVICE, "account.2.label=b\n"),
    ]);
    let mut stand = phone(URL).leased(&[], b"");
    site.serve(&mut stand);
    assert_eq!(applied(&stand).len(), 2);
    again(&mut stand, &mut site);
    assert!(applied(&stand).is_empty());
    assert!(stand.has(unchanged(FIRST)) && stand.has(unchanged(SECOND)));
    assert!(stand.has(EventKind::RunEnded(RunResult::Complete)));
    assert_eq!(site.asked, [GENERAL, DEVICE]);
    // "Add spaces": the raw bytes count.
    site.put(GENERAL, b"account.1.label=a \n");
    again(&mut stand, &mut site);
    assert_eq!(applied(&stand), [File::Step(FIRST)]);
    assert!(stand.has(unchanged(SECOND)));
}

// FAN-139: consecutively, A, B, A is three times another one.
#[test]
fn takes_over_what_came_before_the_last() {
    let mut site = Site::new(&[(DEVICE, "account.2.label=a\n")]);
    let mut stand = phone(URL).leased(&[], b"");
    site.serve(&mut stand);
    for label in ["b", "a"] {
        site.put(DEVICE, format!("account.2.label={label}\n").as_bytes());
        again(&mut stand, &mut site);
        assert_eq!(applied(&stand), [File::Step(SECOND)], "{label}");
        assert_eq!(stand.setting("account.2.label"), label);
    }
}

// FAN-137: of one kind, whatever it is called.
#[test]
fn compares_files_of_one_kind_whatever_their_names() {
    let mut site = Site::new(&[
        (DEVICE, "account.2.label=b\n"),
        ("/X4/x.cfg", "account.2.label=b\n"),
    ]);
    let mut stand = phone(URL).leased(&[], b"");
    site.serve(&mut stand);
    stand.input(Input::Web(WebAction::Set(
        Param::ServerUrl,
        "http://10.0.0.2/X4/x.cfg",
    )));
    stand.input(Input::Web(WebAction::Save));
    again(&mut stand, &mut site);
    assert_eq!(site.asked.last().unwrap(), "/X4/x.cfg");
    assert!(applied(&stand).is_empty() && stand.has(unchanged(SECOND)));
}

// FAN-14, FAN-09: a general file that changed does not win over a device file that did not.
#[test]
fn keeps_the_device_file_on_top_of_a_new_general_one() {
    let mut site = Site::new(&[
        (GENERAL, "account.1.label=all\n"),
        (DEVICE, "account.1.label=own\n"),
    ]);
    let mut stand = phone(URL).leased(&[], b"");
    site.serve(&mut stand);
    site.put(GENERAL, b"account.1.label=new\naccount.2.label=new\n");
    again(&mut stand, &mut site);
    assert_eq!(stand.setting("account.1.label"), "own");
    assert_eq!(stand.setting("account.2.label"), "new");
}

// FAN-42: 64 hexadecimal digits; another text is no key, and the file is not readable with it.
#[test]
fn reads_nothing_with_a_text_that_is_no_key() {
    let digits = "0123456789abcdefABCDEF".repeat(3);
    for text in [
        "secret",
        &digits[..63],
        &digits[..65],
        &digits[..64].replace('a', "g"),
    ] {
        let mut site = Site::new(&[
            (GENERAL, "account.1.label=a\n"),
            (DEVICE, "account.2.label=b\n"),
        ]);
        let fields = [(Param::ServerUrl, URL), (Param::DeviceKey, text)];
        let mut stand = phone_with(&fields).leased(&[], b"");
        site.serve(&mut stand);
        assert_eq!(applied(&stand), [File::Step(FIRST)], "{text}");
        let fault = Fault::WrongKey;
        assert!(
            stand.has(EventKind::Wrong {
                step: SECOND,
                fault
            }),
            "{text}"
        );
        assert!(stand.has(EventKind::RunEnded(RunResult::Partial)), "{text}");
    }
}

// FAN-16: what is in force at once, and what needs a reboot.
#[test]
fn reboots_for_the_settings_that_need_it() {
    for (text, reboot) in [
        ("account.1.label=a\n", false),
        ("static.network.vlan=7\n", true),
    ] {
        let lines =
            "[keys.rules.network]\npatterns = [\"static.network.vlan\"]\nmeaning = \"reboot\"\n";
        let mut stand = phone_of(lines, &[(Param::ServerUrl, URL)]).leased(&[], b"");
        let mut site = Site::new(&[(DEVICE, text)]);
        site.serve(&mut stand);
        let cause = crate::event::BootCause::Settings;
        assert_eq!(stand.has(EventKind::Booting(cause)), reboot, "{text}");
    }
}
