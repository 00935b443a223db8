//! Files: models, boot files, configuration files, resources.

use bootstorm_emulator::event::{EventKind, Fault, File, LineReason, RunResult};
use bootstorm_emulator::phone::stage::StageName;
use bootstorm_emulator::profile::{Param, StepId};

use crate::world::World;
use crate::{COMMON_BOOT, COMMON_CFG, LIST, MAC_BOOT, MAC_CFG, OWN_NAME, applied, phone, quick};

fn ignored(world: &World, wanted: LineReason) -> u32 {
    let counts = world.kinds().filter_map(|kind| match kind {
        EventKind::LinesIgnored { reason, count, .. } if reason == wanted => Some(count),
        _ => None,
    });
    counts.sum()
}

// FLY-02, FLY-03, FLY-33, FLY-34, FLY-37: what each model has; one common file serves all.
#[test]
fn takes_the_accounts_and_line_keys_that_the_model_has() {
    let models = [
        ("fip10", 2, 2),
        ("fip10p", 2, 2),
        ("fip11c", 3, 6),
        ("fip11cp", 3, 6),
        ("fip12wp", 2, 2),
        ("fip13g", 4, 9),
        ("fip14g", 8, 21),
        ("fip16", 2, 21),
    ];
    let mut common = String::new();
    for index in 1..=22 {
        common.push_str(&format!(
            "account.{index}.enable=1\nlinekey.{index}.type=15\n"
        ));
    }
    for (model, accounts, line_keys) in models {
        let world = quick(&format!("flyingvoice/{model}"))
            .option(66, "10.0.0.2")
            .file(COMMON_CFG, &common)
            .boot();
        for index in 1..=22 {
            let account = world.held(&format!("account.{index}.enable"));
            assert_eq!(account.is_some(), index <= accounts, "{model} {index}");
            let key = world.held(&format!("linekey.{index}.type"));
            assert_eq!(key.is_some(), index <= line_keys, "{model} {index}");
        }
        let beyond = 22 - accounts + 22 - line_keys;
        assert_eq!(ignored(&world, LineReason::IndexBeyondModel), beyond);
    }
}

// FLY-04, FLY-05, FLY-06, FLY-07, FLY-09, FLY-10, FLY-12, FLY-13, FLY-14, FLY-20, FLY-21, FLY-76:
// a boot file's includes, in both forms, top to bottom, the later one wins; nothing else is asked.
#[test]
fn follows_the_includes_of_its_own_boot_file_from_top_to_bottom() {
    let boot = "#!version:1.0.0.1\n# account.cfg is a comment\n\
                include:config <account.cfg>\ninclude:config \"sip.cfg\"\n\
                include:config <time.cfg>\n";
    let world = phone()
        .file(MAC_BOOT, boot)
        .file(COMMON_BOOT, "include:config <never.cfg>\n")
        .file(COMMON_CFG, "lang.gui=Never\n")
        .file(MAC_CFG, "lang.gui=Never\n")
        .file("account.cfg", "account.1.label=first\nlang.gui=English\n")
        .file("sip.cfg", "account.1.label=second\n")
        .file("time.cfg", "local_time.time_zone=+8\n")
        .boot();
    assert_eq!(
        world.files(),
        [OWN_NAME, MAC_BOOT, "account.cfg", "sip.cfg", "time.cfg"]
    );
    assert_eq!(world.held("account.1.label").as_deref(), Some("second"));
    assert_eq!(world.held("lang.gui").as_deref(), Some("English"));
    assert!(world.has(EventKind::RunEnded(RunResult::Complete)));
}

// FLY-06, FLY-08, FLY-76: the common boot file serves a phone without one of its own.
#[test]
fn falls_back_on_the_boot_file_for_all() {
    let world = phone()
        .file(
            COMMON_BOOT,
            "include:config <y000000000000.cfg>\ninclude:config <$(MA).cfg>\n",
        )
        .file(COMMON_CFG, "lang.gui=English\naccount.1.label=common\n")
        .file(MAC_CFG, "account.1.label=own\n")
        .boot();
    assert_eq!(
        world.files(),
        [OWN_NAME, MAC_BOOT, COMMON_BOOT, COMMON_CFG, MAC_CFG]
    );
    assert_eq!(world.held("account.1.label").as_deref(), Some("own"));
}

// FLY-07, FLY-09: file names are in lower case, and another case is another file.
#[test]
fn does_not_find_files_in_another_case() {
    let world = phone()
        .file("0021F222B01D.cfg", "lang.gui=English\n")
        .boot();
    assert_eq!(world.files(), LIST);
    assert_eq!(world.held("lang.gui"), None);
}

// FLY-15, FLY-18: a relative URL is relative to the boot file; blanks stay in TFTP names and are
// encoded in HTTP requests.
#[test]
fn resolves_relative_includes_against_the_boot_file() {
    let boot = "include:config <sip.cfg>\ninclude:config <HTTP Directory/sip.cfg>\n";
    let served = |world: World| {
        world
            .file("dir/0021f222b01d.boot", boot)
            .file("dir/sip.cfg", "lang.gui=a\n")
            .file("dir/HTTP Directory/sip.cfg", "account.1.label=b\n")
            .boot()
    };
    let quick = || quick("flyingvoice/fip13g");
    let world = served(quick().option(66, "tftp://10.0.0.2/dir/"));
    assert_eq!(
        world.files()[2..],
        ["dir/sip.cfg", "dir/HTTP Directory/sip.cfg"]
    );
    assert_eq!(world.held("account.1.label").as_deref(), Some("b"));
    let world = served(quick().option(66, "http://10.0.0.2/dir/"));
    assert_eq!(
        world.files()[2..],
        ["/dir/sip.cfg", "/dir/HTTP%20Directory/sip.cfg"]
    );
    assert_eq!(world.held("account.1.label").as_deref(), Some("b"));
}

// FLY-16, FLY-17: an absolute URL is fetched as given, by another protocol from another host.
#[test]
fn fetches_an_absolute_include_by_its_own_protocol_and_host() {
    let boot = "include:config <http://10.0.0.92/HTTP Directory/mac.cfg>\n\
                include:config \"tftp://10.0.0.91/x.cfg\"\ninclude:config <last.cfg>\n";
    let world = phone()
        .file(MAC_BOOT, boot)
        .file("HTTP Directory/mac.cfg", "lang.gui=a\n")
        .file("x.cfg", "account.1.label=b\n")
        .file("last.cfg", "account.1.auth_name=c\n")
        .boot();
    assert_eq!(
        world.asked()[4..],
        ["GET /HTTP%20Directory/mac.cfg", "RRQ x.cfg", "RRQ last.cfg"]
    );
    let web = world.up().find(|packet| packet.peer.port() == 80).unwrap();
    assert_eq!(web.peer.to_string(), "10.0.0.92:80");
    let hosts: Vec<_> = world
        .read_requests()
        .iter()
        .map(|packet| packet.peer.ip().to_string())
        .collect();
    assert_eq!(hosts[2..], ["10.0.0.91", "10.0.0.2"]);
    for key in ["lang.gui", "account.1.label", "account.1.auth_name"] {
        assert!(world.held(key).is_some(), "{key}");
    }
}

// FLY-19, FLY-24: directories, boot files and other text in a boot file are ignored and told.
#[test]
fn ignores_what_is_no_include_of_a_configuration_file() {
    let boot = "include:config <directory/>\ninclude:config <y000000000000.boot>\nhello\n\
                include:config <a.cfg>\n";
    let world = phone()
        .file(MAC_BOOT, boot)
        .file("a.cfg", "lang.gui=a\n")
        .boot();
    assert_eq!(world.files(), [OWN_NAME, MAC_BOOT, "a.cfg"]);
    assert_eq!(ignored(&world, LineReason::NotALink), 3);
}

// FLY-22: includes can be repeated; the same file twice counts twice.
#[test]
fn follows_as_many_includes_as_there_are() {
    let mut boot = String::new();
    let mut world = phone();
    for index in 0..100 {
        boot.push_str(&format!("include:config <f{index}.cfg>\n"));
        world.serve(
            &format!("f{index}.cfg"),
            format!("account.1.label=l{index}\n"),
        );
    }
    boot.push_str("include:config <f0.cfg>\n");
    let world = world.file(MAC_BOOT, boot).boot();
    assert_eq!(world.files().len(), 2 + 101);
    assert_eq!(world.held("account.1.label").as_deref(), Some("l0"));
}

// FLY-23, FLY-105: an include that fails is passed over, the run counts as partly failed.
#[test]
fn goes_on_after_an_include_that_is_missing() {
    let boot = "include:config <gone.cfg>\ninclude:config <a.cfg>\n";
    let mut world = phone()
        .file(MAC_BOOT, boot)
        .file("a.cfg", "lang.gui=a\n")
        .boot();
    assert_eq!(world.files(), [OWN_NAME, MAC_BOOT, "gone.cfg", "a.cfg"]);
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
    assert!(world.has(EventKind::RunEnded(RunResult::Partial)));
    world.forget();
    world.run_seconds(3_605);
    assert!(world.files().contains(&"gone.cfg".to_owned()));
}

// FLY-25, FLY-26, FLY-27, FLY-28, FLY-29, FLY-30: the grammar of a configuration file.
#[test]
fn reads_the_grammar_of_configuration_files() {
    let text = "# lang.gui=no\n#account.1.label=no\naccount.1.label = a # b \r\n\
                account.1.auth_name=x=y\r\naccount.2.label=\n\
                no equals sign\nunheard.of.key=1\naccount.1.sip_server_port=70000\n\
                account.1.sip_server_host=sip.example.org";
    let mut world = phone().file(MAC_CFG, "account.2.label=kept\n").boot();
    world.serve(MAC_CFG, text);
    world.reboot();
    let held = |key: &str| world.held(key);
    assert_eq!(held("account.1.label").as_deref(), Some("a # b"));
    assert_eq!(held("account.1.auth_name").as_deref(), Some("x=y"));
    assert_eq!(held("account.2.label").as_deref(), Some("kept"));
    assert_eq!(
        held("account.1.sip_server_host").as_deref(),
        Some("sip.example.org")
    );
    assert_eq!(held("lang.gui"), None);
    assert_eq!(held("unheard.of.key"), None);
    assert_eq!(held("account.1.sip_server_port"), None);
    assert_eq!(ignored(&world, LineReason::Grammar), 1);
    assert_eq!(ignored(&world, LineReason::UnknownKey), 1);
    assert_eq!(ignored(&world, LineReason::BadValue), 1);
}

// FLY-32, FLY-33, FLY-35, FLY-36: values of the documented keys, in and out of their ranges.
#[test]
fn takes_documented_values_only() {
    let good = [
        ("features.pound_key.mode", "2"),
        ("linekey.1.type", "24"),
        ("local_time.time_zone", "+8"),
        ("local_time.time_format", "1"),
        ("local_time.date_format", "6"),
        ("wui.https_enable", "0"),
        ("lang.gui", "Chinese_S"),
        ("local_time.ntp_server1", "ntp.example.org"),
    ];
    let bad = [
        ("features.pound_key.mode", "3"),
        ("linekey.1.type", "1"),
        ("local_time.time_zone", "+15"),
        ("local_time.time_format", "2"),
        ("local_time.date_format", "7"),
        ("wui.https_enable", "maybe"),
    ];
    let text = |lines: &[(&str, &str)]| -> String {
        let lines = lines.iter().map(|(key, value)| format!("{key}={value}\n"));
        lines.collect()
    };
    let world = phone().file(MAC_CFG, text(&good)).boot();
    for (key, value) in good {
        assert_eq!(world.held(key).as_deref(), Some(value), "{key}");
    }
    let world = phone().file(MAC_CFG, text(&bad)).boot();
    for (key, _) in bad {
        assert_eq!(world.held(key), None, "{key}");
    }
    assert_eq!(ignored(&world, LineReason::BadValue), 6);
}

// FLY-11, FLY-38, FLY-39, FLY-40: resources after all configuration files, in key order; one that
// is missing undoes nothing.
#[test]
fn fetches_the_resources_that_the_files_name_after_them() {
    let common = "remote_phonebook.data.url=http://10.0.0.2/remote.xml\n\
                  local_contact.data.url=tftp://10.0.0.2/local.xml\nlang.gui=a\n";
    let mut world = phone()
        .file(COMMON_CFG, common)
        .file(MAC_CFG, "account.1.label=x\n")
        .file("remote.xml", "<a/>")
        .file("local.xml", "<contacts/>")
        .boot();
    assert_eq!(
        world.files()[3..],
        [COMMON_CFG, MAC_CFG, "local.xml", "/remote.xml"]
    );
    assert_eq!(
        world.count(|kind| matches!(kind, EventKind::ResourceStored { .. })),
        2
    );
    world.remove("local.xml");
    world.reboot();
    assert_eq!(world.held("lang.gui").as_deref(), Some("a"));
    assert!(world.has(EventKind::RunEnded(RunResult::Partial)));
    assert!(world.any(|kind| matches!(kind, EventKind::ResourceStored { .. })));
}

// FLY-38: a resource of the MAC-oriented file takes the place of the common one.
#[test]
fn prefers_the_resource_of_its_own_file() {
    let world = phone()
        .file(
            COMMON_CFG,
            "local_contact.data.url=tftp://10.0.0.2/all.xml\n",
        )
        .file(MAC_CFG, "local_contact.data.url=tftp://10.0.0.2/own.xml\n")
        .file("all.xml", "<a/>")
        .file("own.xml", "<b/>")
        .boot();
    assert_eq!(world.files()[5..], ["own.xml"]);
}

// FLY-110, FLY-111: settings take effect when the run completes, without reboot; a power cut
// before that leaves flash as it was.
#[test]
fn applies_nothing_before_all_files_are_there() {
    let mut world = phone().file(COMMON_CFG, "lang.gui=old\n").boot();
    world.serve(COMMON_CFG, "lang.gui=new\n");
    world.serve(MAC_CFG, vec![b'#'; 100_000]);
    world.forget();
    world.power_cycle();
    world.wait_for("request for the last file", |world| {
        world.files().contains(&MAC_CFG.to_owned())
    });
    assert_eq!(world.held("lang.gui").as_deref(), Some("old"));
    assert!(!world.any(applied));
    world.reboot();
    assert_eq!(world.held("lang.gui").as_deref(), Some("new"));
    assert_eq!(world.count(|kind| matches!(kind, EventKind::Booting(_))), 1);
}

// FLY-112, FLY-113, FLY-114: a network setting makes the phone reboot after the run, once: at the
// next boot the file has the MD5 of the one applied.
#[test]
fn reboots_once_for_settings_that_need_it() {
    for key in [
        "network.vlan.id",
        "static.network.dhcp",
        "static.wifi.enable",
        "vpn.enable",
        "dot1x.mode",
    ] {
        let text = format!("{key}=1\nlang.gui=a\n");
        let world = phone().file(MAC_CFG, text).boot();
        let boots = world.count(|kind| matches!(kind, EventKind::Booting(_)));
        assert_eq!(boots, 2, "{key}");
        assert_eq!(world.count(applied), 1, "{key}");
        let file = File::Step(StepId::fetch(4));
        assert!(world.has(EventKind::Unchanged { file }), "{key}");
        let discovers = world.asked();
        let discovers = discovers.iter().filter(|asked| *asked == "DISCOVER");
        assert_eq!(discovers.count(), 2, "{key}");
    }
}

// FLY-114: the same bytes are downloaded again and not applied again; other bytes are.
#[test]
fn applies_the_same_bytes_once() {
    let mut world = phone().file(MAC_CFG, "lang.gui=a\n").boot();
    world.reboot();
    assert!(world.files().contains(&MAC_CFG.to_owned()));
    assert!(!world.any(applied));
    world.serve(MAC_CFG, "lang.gui=b\n");
    world.reboot();
    assert_eq!(world.count(applied), 1);
    assert_eq!(world.held("lang.gui").as_deref(), Some("b"));
}

// FLY-115: an encrypted (unreadable) file is an error, and nothing of it is applied.
#[test]
fn refuses_an_encrypted_file() {
    let sealed: Vec<u8> = (0..1_024_u32)
        .map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let world = phone().file(MAC_CFG, sealed).boot();
    assert!(!world.any(applied));
    assert!(world.any(|kind| matches!(
        kind,
        EventKind::GaveUp {
            fault: Fault::WrongFormat | Fault::Encrypted,
            ..
        }
    )));
    assert_eq!(world.phone.stage(), StageName::Idle);
}

// FLY-31, FLY-95: a file moves the phone to another server for the next run, not for this one.
#[test]
fn moves_to_another_server_with_the_next_run() {
    let mut world = quick("flyingvoice/fip13g")
        .web(Param::ServerUrl, "tftp://10.0.0.2/")
        .file(MAC_CFG, "auto_provision.server.url=tftp://10.0.0.77/\n")
        .boot();
    let host = |world: &World| world.read_requests()[0].peer.ip().to_string();
    assert_eq!(host(&world), "10.0.0.2");
    assert_eq!(world.files(), LIST);
    world.reboot();
    assert_eq!(host(&world), "10.0.0.77");
}
