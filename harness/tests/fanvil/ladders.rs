//! What `explain` prints for each family of models.

use bootstorm::explain;

use crate::world::profiles;

fn explained(model: &str) -> String {
    let profile = profiles().get(model).unwrap();
    explain::explain(profiles(), &profile, 1, false).unwrap()
}

/// These texts stand in it, one after another.
#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("no {part:?} where it is expected:\n{text}");
        };
        rest = after;
    }
}

// FAN-01, FAN-04, FAN-07, FAN-17, FAN-87: one ladder for each family, from the lease to the files.
#[test]
fn explains_every_family_from_its_sources_to_its_files() {
    for (model, general) in [
        ("fanvil/x4", "f0X4hw1.100.cfg"),
        ("fanvil/h3", "f0H3hw1.100.cfg"),
        ("fanvil/i30", "f0i30hw1.100.cfg"),
        ("fanvil/x6", "F0V00X600000.cfg"),
        ("fanvil/c62", "f0C00620000.cfg"),
        ("fanvil/i12", "f0i12hw1.100.cfg"),
        ("fanvil/x5u-v2", "F0V5UV200000.cfg"),
    ] {
        let text = explained(model);
        let sources = ["1  redirect", "2  dhcp", "3  pnp", "4  static"];
        holds(&text, &sources);
        let files = [
            "Which files",
            general,
            "asked for at the same time",
            "device file, <mac>.cfg or as the URL says",
        ];
        holds(&text, &files);
        let general_asked = format!("|-- {general} (");
        let ladder = [
            "DISCOVER (",
            "<- OFFER",
            "REQUEST (",
            "<- ACK",
            general_asked.as_str(),
            "|-- device file (",
            "registered account 1",
            "settled",
        ];
        holds(&text, &ladder);
    }
}

// FAN-03, FAN-12, FAN-132, FAN-133: what families differ in.
#[test]
fn explains_what_families_differ_in() {
    let android = explained("fanvil/c600");
    let order = [
        "1  mdns",
        "2  redirect",
        "3  dhcp",
        "4  acs",
        "5  pnp",
        "6  static",
    ];
    holds(&android, &order);
    holds(
        &android,
        &["|-- mDNS query (42 bytes)", "FAN-03", "gave up mDNS query"],
    );
    holds(&android, &["background", "refused", "mmiset", "refused"]);
    holds(
        &explained("fanvil/x6"),
        &["background: background.bmp", "dial-rules", "refused"],
    );
    let door = explained("fanvil/i33v");
    holds(
        &door,
        &["dial-rules: dialPeer.csv", "access-list: accessList.csv"],
    );
}

// FAN-24, FAN-57, FAN-59: no ladder says a name that was not asked for.
#[test]
fn names_no_file_that_was_not_asked_for() {
    let text = explained("fanvil/x4");
    for content in ["given", "typed", "query"] {
        let (_, ladder) = text
            .split_once(&format!("content \"{content}\" over"))
            .unwrap();
        let ladder = ladder.split("A first boot").next().unwrap();
        holds(ladder, &["applied f0X4hw1.100.cfg", "applied device file"]);
        assert!(!ladder.contains("0c383e000000.cfg:"), "{ladder}");
    }
    let (_, typed) = text.split_once("content \"typed\" over").unwrap();
    let asks = [
        "asks its user for the id",
        "the user gave the id",
        "|-- f0X4",
    ];
    holds(typed, &asks);
}
