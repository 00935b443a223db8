use super::*;
use crate::identity::Mac;
use crate::profile::template::Vars;
use crate::profile::{ContentKind, Param, SourceKind, StepId};

fn fip13g() -> Arc<Profile> {
    ProfileSet::built_in().get("flyingvoice/fip13g").unwrap()
}

fn one(path: &str, text: &str) -> Result<ProfileSet, Faults> {
    ProfileSet::with_directory([(path.to_owned(), text.to_owned())])
}

#[test]
fn loads_every_built_in_profile_without_fault() {
    let mut library = Library::default();
    for (path, text) in BUILT_IN {
        library.add(path, text).unwrap();
    }
    let (set, faults) = ProfileSet::read(library);
    assert_eq!(faults.to_string(), "");
    // Those of the largest vendor have a table of their own below.
    let others = set.names().filter(|name| !name.starts_with("fanvil/"));
    assert_eq!(
        others.collect::<Vec<_>>(),
        [
            "auerswald/comfortel-d-100",
            "auerswald/comfortel-d-200",
            "flyingvoice/fip10",
            "flyingvoice/fip10p",
            "flyingvoice/fip11c",
            "flyingvoice/fip11cp",
            "flyingvoice/fip12wp",
            "flyingvoice/fip13g",
            "flyingvoice/fip14g",
            "flyingvoice/fip15g",
            "flyingvoice/fip16",
            "gigaset/maxwell-3",
            "gigaset/maxwell-basic",
            "plug-n-dial/bva8051",
            "plug-n-dial/lr8051s-http",
            "plug-n-dial/lr8051s-https",
        ]
    );
    assert_eq!(
        set.vendors(),
        [
            "auerswald",
            "fanvil",
            "flyingvoice",
            "gigaset",
            "plug-n-dial"
        ]
    );
    assert_eq!(set.iter().count(), ProfileSet::built_in().iter().count());
}

#[test]
fn keeps_model_files_of_a_known_vendor_short() {
    for (path, text) in BUILT_IN {
        // A family's first model says what the others inherit.
        let family = ["fanvil/vendor.toml", "fanvil/c400.toml", "fanvil/i12.toml"];
        let short = path.starts_with("flyingvoice/fip") || path.starts_with("fanvil/");
        if short && !family.contains(path) {
            assert!(text.lines().count() < 15, "{path}");
        }
    }
}

/// FAN-17 … FAN-23: as printed; then what public servers hold (vendor-facts §5).
#[test]
fn names_the_general_file_of_every_model_as_printed() {
    let set = ProfileSet::built_in();
    for (model, name) in [
        ("X1", "f0X1hw1.100.cfg"),
        ("X2", "f0X2hw1.100.cfg"),
        ("X3S", "f0X3Shw1.100.cfg"),
        ("X4", "f0X4hw1.100.cfg"),
        ("H2S", "f0H2Shw1.100.cfg"),
        ("H3", "f0H3hw1.100.cfg"),
        ("H5", "f0H5hw1.100.cfg"),
        ("i16V", "f0i16Vhw1.100.cfg"),
        ("i20S", "f0i20SVhw1.100.cfg"),
        ("i30", "f0i30hw1.100.cfg"),
        ("i23S", "f0i23Shw1.100.cfg"),
        ("i31S", "f0i31Shw1.100.cfg"),
        ("i12", "f0i12hw1.100.cfg"),
        ("i18S", "f0i18Shw1.100.cfg"),
        ("PA2", "f0PA2hw1.100.cfg"),
        ("i13W", "f0i13Whw1.100.cfg"),
        ("I32V", "f0i32Vhw1.100.cfg"),
        ("I33V", "f0i33Vhw1.100.cfg"),
        ("IW30", "f0iW30hw1.100.cfg"),
        ("EIM-01", "f0EIM-01hw1.100.cfg"),
        ("X5S", "F0V0X5S00000.cfg"),
        ("X6", "F0V00X600000.cfg"),
        ("X7", "F0V00X700000.cfg"),
        ("X7C", "F0V0X7C00000.cfg"),
        ("X210", "F0VX21000000.cfg"),
        ("F600", "f0F060000000.cfg"),
        ("C600", "f0C060000000.cfg"),
        ("C400", "f0C040000000.cfg"),
        ("C62", "f0C00620000.cfg"),
        ("C58", "f0C00580000.cfg"),
        ("X6V2", "F0000X600000.cfg"),
        ("X5U-V2", "F0V5UV200000.cfg"),
        ("V65", "F0V0V6500000.cfg"),
        ("V62G", "F0VV62G00000.cfg"),
        ("i51W", "F0Vi51W00000.cfg"),
        ("i16SV", "F0V16SV00000.cfg"),
    ] {
        let profile = set.get(&format!("fanvil/{}", model.to_lowercase()));
        let profile = profile.unwrap();
        assert_eq!(profile.model, model);
        let names: Vec<&str> = profile.fetches.iter().map(|f| f.name.source()).collect();
        assert_eq!(names, [name, "{mac}.cfg"], "{model}");
    }
}

/// FLY-03, FLY-33, FLY-34; the last two models take FIP14G's where the guide is cut.
#[test]
fn limits_accounts_and_line_keys_as_the_guide_says() {
    let set = ProfileSet::built_in();
    for (model, accounts, line_keys, unverified) in [
        ("fip10", 2, 2, false),
        ("fip10p", 2, 2, false),
        ("fip11c", 3, 6, false),
        ("fip11cp", 3, 6, false),
        ("fip12wp", 2, 2, false),
        ("fip13g", 4, 9, false),
        ("fip14g", 8, 21, false),
        ("fip15g", 8, 21, true),
        ("fip16", 2, 21, true),
    ] {
        let profile = set.get(&format!("flyingvoice/{model}")).unwrap();
        let has = |pattern: String| {
            profile
                .keys
                .rules
                .iter()
                .any(|rule| rule.pattern == pattern)
        };
        assert!(has(format!("account.{{1-{accounts}}}.enable")), "{model}");
        assert!(has(format!("linekey.{{1-{line_keys}}}.type")), "{model}");
        let cut = profile
            .unverified
            .iter()
            .any(|text| text.contains("cut off"));
        assert_eq!(cut, unverified, "{model}");
        assert!(!profile.keys.keep_unknown);
    }
}

#[test]
fn numbers_the_ladder_steps_and_gives_them_their_clauses() {
    let profile = fip13g();
    let labels: Vec<&str> = profile
        .steps
        .iter()
        .map(|step| step.label.as_str())
        .collect();
    assert_eq!(
        labels,
        [
            "DISCOVER",
            "REQUEST",
            "renew",
            "SUBSCRIBE",
            "NOTIFY",
            "given file",
            "include",
            "resource",
            "firmware",
            "settled",
            "SNTP",
            "redirect service",
            "REGISTER",
            "updates",
            "linked file",
            "certificate",
            "mDNS query",
            "prompt",
            "Inform",
            "ACS",
            "download",
            "<mac>",
            "<mac>.boot",
            "y000000000000.boot",
            "y000000000000.cfg",
            "<mac>.cfg",
        ]
    );
    let step = |step: StepId| profile.steps.get(usize::from(step.0)).unwrap();
    assert!(
        step(StepId::fetch(0))
            .clauses
            .contains(&"FLY-69".to_owned())
    );
    assert!(
        step(StepId::SUBSCRIBE)
            .clauses
            .contains(&"FLY-44".to_owned())
    );
    assert!(
        step(StepId::FIRMWARE)
            .clauses
            .contains(&"FLY-116".to_owned())
    );
    // What this vendor has no part in rests on no clause.
    let others = StepId::CLOCK.0..StepId::FIRST_FETCH;
    for (number, step) in (0..).zip(&profile.steps) {
        let own = !others.contains(&number) || number == StepId::REGISTER.0;
        assert!(!own || !step.clauses.is_empty(), "{}", step.label);
    }
}

#[test]
fn binds_parameters_to_keys_of_both_spellings() {
    let profile = fip13g();
    let spec =
        |param: Param| &profile.params[Param::ALL.iter().position(|(p, _)| *p == param).unwrap()];
    assert_eq!(profile.params.len(), Param::ALL.len());
    assert_eq!(
        spec(Param::ServerUrl).keys,
        [
            "auto_provision.server.url",
            "static.auto_provision.server.url"
        ]
    );
    assert_eq!(spec(Param::RandomDelayS).default.source(), "40");
    assert_eq!(spec(Param::Option67Enable).default.source(), "0");
    assert_eq!(spec(Param::PnpEnable).default.source(), "1");
    assert_eq!(spec(Param::ConfigFileName).default.source(), "$(MA)");
    assert!(
        profile
            .markers
            .iter()
            .any(|(marker, with)| { marker == "$(MA)" && with.source() == "{mac}" })
    );
}

#[test]
fn walks_and_searches_in_the_documented_order() {
    let profile = fip13g();
    let sources: Vec<&SourceKind> = profile.sources.iter().map(|source| &source.kind).collect();
    assert_eq!(
        sources,
        [
            &SourceKind::Pnp,
            &SourceKind::Dhcp {
                option: 66,
                file_option: Some(67),
                unless: None
            },
            &SourceKind::Fixed(Param::ServerUrl),
            &SourceKind::Fixed(Param::SecondServerUrl),
        ]
    );
    let names = |profile: &Profile, mac: &str| -> Vec<String> {
        let vars = Vars {
            mac: Mac::parse(mac).unwrap(),
            model: &profile.model,
            oem: &profile.oem,
            config_file_name: mac,
            ..Vars::default()
        };
        profile
            .fetches
            .iter()
            .map(|fetch| fetch.name.text(&vars))
            .collect()
    };
    assert_eq!(
        names(&profile, "0021f2000001"),
        [
            "0021f2000001",
            "0021f2000001.boot",
            "y000000000000.boot",
            "y000000000000.cfg",
            "0021f2000001.cfg",
        ]
    );
    let set = ProfileSet::built_in();
    assert_eq!(
        names(&set.get("plug-n-dial/bva8051").unwrap(), "000b820c2371"),
        [
            "/000b/820c/000b820c2371.md5",
            "/000b/820c/000b820c2371.txt",
            "/firmware/leadtek/BVA8051/currentversion.txt",
        ]
    );
    assert_eq!(
        names(
            &set.get("plug-n-dial/lr8051s-https").unwrap(),
            "000b820c2371"
        ),
        [
            "/LR8051S/app?class=LR8051S;mac_address=000b820c2371",
            "/firmware/leadtek/LR8051S/currentversion.txt",
        ]
    );
}

#[test]
fn offers_every_layout_with_the_files_that_its_walk_asks_for() {
    let layouts = |profile: &Profile| -> Vec<String> {
        let mut layouts: Vec<String> = profile
            .content
            .iter()
            .map(|file| file.layout.clone())
            .collect();
        layouts.dedup();
        layouts
    };
    let profile = fip13g();
    assert_eq!(
        layouts(&profile),
        ["flat", "boot", "mac-boot", "own-name", "given"]
    );
    for layout in layouts(&profile) {
        let holds = |kind: fn(&ContentKind) -> bool| {
            let mut files = profile.content.iter();
            files.any(|file| file.layout == layout && kind(&file.holds))
        };
        assert!(
            holds(|kind| matches!(kind, ContentKind::Settings { .. })),
            "{layout}"
        );
        assert!(
            holds(|kind| matches!(kind, ContentKind::Firmware)),
            "{layout}"
        );
    }
    let set = ProfileSet::built_in();
    assert_eq!(layouts(&set.get("plug-n-dial/bva8051").unwrap()), ["tree"]);
    assert_eq!(
        layouts(&set.get("plug-n-dial/lr8051s-http").unwrap()),
        ["app"]
    );
}

#[test]
fn finds_profiles_by_name_and_vendor_and_says_what_was_probably_meant() {
    let set = ProfileSet::built_in();
    assert_eq!(set.select("flyingvoice").unwrap().len(), 9);
    assert_eq!(set.select("flyingvoice/fip16").unwrap().len(), 1);
    for (name, message) in [
        (
            "flyingvoise/fip16",
            "unknown profile 'flyingvoise/fip16'; did you mean 'flyingvoice/fip16'?",
        ),
        (
            "fip13g",
            "unknown profile 'fip13g'; did you mean 'flyingvoice/fip13g'?",
        ),
        (
            "flyngvoice",
            "unknown profile 'flyngvoice'; did you mean 'flyingvoice'?",
        ),
        ("zzz", "unknown profile 'zzz'"),
        ("", "unknown profile ''"),
    ] {
        assert_eq!(set.select(name).unwrap_err().to_string(), message);
        assert!(set.get(name).is_err());
    }
}

#[test]
fn takes_profiles_of_a_directory_that_inherit_from_built_in_ones() {
    let text = "inherits = \"flyingvoice/fip13g\"\nmodel = \"FIP99\"\n[fetches.mac-cfg]\nname = \"{mac:upper}.cfg\"\n";
    let set = one("./my/fip99.toml", text).unwrap();
    let own = set.get("my/fip99").unwrap();
    assert_eq!(
        (own.name.as_str(), own.model.as_str()),
        ("my/fip99", "FIP99")
    );
    assert_eq!(own.fetches[4].name.source(), "{mac:upper}.cfg");
    assert_eq!(own.fetches[4].clauses, fip13g().fetches[4].clauses);
    assert_eq!(
        set.names().count(),
        ProfileSet::built_in().names().count() + 1
    );
}

#[test]
fn refuses_a_directory_with_a_faulty_or_misnamed_file() {
    let faults = one("my/x.toml", "inherits = \"flyingvoice\"\nmodel = 7\n").unwrap_err();
    assert_eq!(
        faults.to_string(),
        "my/x.toml:1:1: missing key 'index_limits.accounts' (expected a whole number from 1 to 9999)\n\
         my/x.toml:1:1: missing key 'index_limits.line_keys' (expected a whole number from 1 to 9999)\n\
         my/x.toml:1:1: missing key 'summary' (expected a text of one line, not empty)\n\
         my/x.toml:2:9: 'model' is a number (expected a text of one line, not empty)"
    );
    for path in [
        "x.toml",
        "my/x.txt",
        "My/x.toml",
        "my/.toml",
        "",
        "my/é.toml",
    ] {
        let faults = one(path, "").unwrap_err().to_string();
        let expected = format!(
            "{path}:1:1: profile file is not named vendor/model.toml in small letters, digits, '-' and '_'"
        );
        assert_eq!(faults, expected);
    }
}

#[test]
fn is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&ProfileSet::built_in());
}

/// FLY-44: the frame of 616 bytes holds 574 bytes of SIP.
#[test]
fn subscribes_with_as_many_bytes_as_the_phone_of_the_trace() {
    let profile = fip13g();
    let pnp = profile.pnp.as_ref().unwrap();
    let vars = Vars {
        mac: Mac::parse("0021f222b01d").unwrap(),
        model: &profile.model,
        vendor: &profile.vendor,
        firmware: &profile.firmware,
        address: std::net::Ipv4Addr::new(192, 168, 50, 163),
        port: 59_495,
        cseq: 1,
        ..Vars::default()
    };
    let mut message = format!("SUBSCRIBE {} SIP/2.0\r\n", pnp.request_uri.text(&vars));
    for (name, value) in &pnp.headers {
        message.push_str(&format!("{name}: {}\r\n", value.text(&vars)));
    }
    message.push_str("\r\n");
    assert!(message.starts_with("SUBSCRIBE sip:MAC0021f222b01d@224.0.1.75 SIP/2.0\r\n"));
    assert_eq!(message.len(), 574);
}
