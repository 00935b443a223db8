//! Modules of options in their three dialects, encrypted or not, with every resource they name.

use super::{boot, boots_as};

const FIRST: &str = "0c383e000000";
const PROFILES: &str = "[fleet.profiles]\n\"fanvil/i30\" = 1\n";
const TEXT: &str = "[fleet.common]\n\"global.time zone\" = \"32\"\n\
    [fleet.own]\n\"sip.sip1 phone number\" = \"f{index}\"\n\
    \"sip.sip1 register pswd\" = \"p<&>:{mac}\"\n";
const NESTED: &str = "[fleet.common]\n\"ap.opt.dhcpoption\" = \"66\"\n\
    [fleet.own]\n\"sip.line[1].phonenumber\" = \"f{index}\"\n\
    \"sip.line[1].registerpswd\" = \"p<&>:{mac}\"\n";
const DEVICE_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const COMMON_KEY: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// A fleet of phones that take every resource.
fn fleet(layout: &str, further: &str) -> String {
    let settings = if layout.ends_with("nested") {
        NESTED
    } else {
        TEXT
    };
    format!(
        "source = \"dhcp\"\ntransport = \"http\"\nlayout = \"{layout}\"\nroot = \"site\"\n\
         {further}{PROFILES}{settings}"
    )
}

// FAN-07, FAN-14, FAN-27, FAN-35, FAN-41
#[test]
fn each_dialect_has_a_general_file_and_one_for_each_phone() {
    for layout in ["modules", "modules-xml", "modules-nested"] {
        let parts = [
            "fetched f0i30hw1.100.cfg",
            "applied f0i30hw1.100.cfg",
            "applied device file",
        ];
        boots_as(FIRST, &fleet(layout, ""), &parts);
    }
}

// FAN-28, FAN-30: header, version, footer: nothing is tolerated in what we write.
#[test]
fn files_have_the_form_that_the_document_demands() {
    for layout in ["modules", "modules-xml", "modules-nested"] {
        let (log, provisioned) = boot(&fleet(layout, "file_version = \"2.0007\"\n"));
        assert_eq!(provisioned, 3, "{log}");
        assert!(!log.contains(", although "), "{log}");
        assert!(!log.contains(" ignored "), "{log}");
        let shown = log.matches("shows version 2.0007 for ").count();
        assert_eq!(shown, 6, "{layout}: {log}");
    }
}

// FAN-42, FAN-43, FAN-45, FAN-47
#[test]
fn encrypted_files_are_read_with_the_key_of_their_kind() {
    for cipher in ["ecb", "cbc-prefixed"] {
        for layout in ["modules", "modules-xml", "modules-nested"] {
            let keys = format!(
                "cipher = \"{cipher}\"\ndevice_key = \"{DEVICE_KEY}\"\n\
                 common_key = \"{COMMON_KEY}\"\n"
            );
            let parts = ["applied f0i30hw1.100.cfg", "applied device file"];
            boots_as(FIRST, &fleet(layout, &keys), &parts);
        }
    }
    // One of the two alone: the other file is plain, and no key is given for it (FAN-44).
    let one = format!("common_key = \"{COMMON_KEY}\"\n");
    let (log, provisioned) = boot(&fleet("modules", &one));
    assert_eq!(provisioned, 3, "{log}");
}

// FAN-46: the fields stand for each other's files.
#[test]
fn keys_may_change_places() {
    let keys = format!("device_key = \"{DEVICE_KEY}\"\ncommon_key = \"{COMMON_KEY}\"\n");
    let text = format!(
        "{}[fleet.web]\nkeys_swapped = \"1\"\n",
        fleet("modules", &keys)
    );
    let (log, provisioned) = boot(&text);
    assert_eq!(provisioned, 3, "{log}");
}

// FAN-10, FAN-12, FAN-126 … FAN-134
#[test]
fn settings_name_every_resource_that_the_model_takes_by_a_protocol_of_its_own() {
    let further = "firmware = \"2.14.0\"\nfirmware_bytes = 4096\nfirmware_transport = \"tftp\"\n\
        resources = [\n  { kind = \"phonebook\", suffix = \"vcf\", transport = \"https\" },\n  \
        \"certificate\",\n  \"background\",\n  \"mmiset\",\n  \
        { kind = \"access-list\", transport = \"tftp\" },\n]\n";
    for layout in ["modules", "modules-xml", "modules-nested"] {
        let (log, provisioned) = boot(&fleet(layout, further));
        assert_eq!(provisioned, 3, "{log}");
        for part in [
            "tftp://10.0.0.2/site/i302.14.0T20210730173312.z",
            "https://10.0.0.2/site/phonebook.vcf",
            "http://10.0.0.2/site/certificate.",
            "http://10.0.0.2/site/background.bmp",
            "http://10.0.0.2/site/mmiset.z",
            "tftp://10.0.0.2/site/accessList.csv",
            ": 20 rows, 0 rejected",
            "runs firmware 2.14.0",
        ] {
            assert!(log.contains(part), "{layout}: no {part} in {log}");
        }
        assert!(!log.contains(" refused "), "{log}");
    }
}

// FAN-12: a model that has no such thing is not told of it.
#[test]
fn models_without_a_resource_do_without() {
    let text = fleet(
        "modules",
        "resources = [\"background\", \"mmiset\", \"phonebook\"]\n",
    );
    let both = "\"fanvil/c600\" = 1\n\"fanvil/i30\" = 1\n";
    let (log, provisioned) = boot(&text.replace("\"fanvil/i30\" = 1\n", both));
    assert_eq!(provisioned, 3, "{log}");
    for (resource, with, without) in [("phonebook", 1, 2), ("background", 1, 0), ("mmiset", 1, 0)] {
        let started = |model: &str| {
            let line = |line: &&str| line.contains(model) && line.contains("task ");
            let lines = log.lines().filter(line);
            lines.filter(|line| line.contains(resource)).count()
        };
        assert_eq!(started("fanvil/i30"), with, "{resource}: {log}");
        assert_eq!(started("fanvil/c600"), without, "{resource}: {log}");
    }
}

// FAN-23
#[test]
fn one_general_file_is_enough_for_a_whole_model() {
    let text = fleet("general", "firmware = \"2.14.0\"\nfirmware_bytes = 4096\n");
    let (whole, own) = text.split_once("[fleet.own]").expect("own settings");
    assert!(!own.is_empty());
    let parts = ["missing device file", "runs firmware 2.14.0"];
    boots_as(FIRST, whole, &parts);
}

// FAN-24, FAN-54, FAN-58
#[test]
fn a_name_that_the_site_chose_is_in_the_url() {
    let parts = ["candidate", "/site/desk-0.cfg", "applied", "applied"];
    boots_as(FIRST, &fleet("given", ""), &parts);
}

// FAN-56, FAN-59, FAN-61
#[test]
fn markers_and_queries_lead_to_the_same_files() {
    let marked = fleet("modules", "file = \"$mac.cfg\"\n");
    boots_as(FIRST, &marked, &["/site/0c383e000000.cfg"]);
    let parts = ["/site/mac.cfg?mac=0c383e000000.cfg", "f0i30hw1.100.cfg"];
    boots_as(FIRST, &fleet("query", ""), &parts);
    let marked = fleet("query", "file = \"mac.cfg?mac=$mac.cfg\"\n");
    boots_as(FIRST, &marked, &["mac.cfg?mac=0c383e000000.cfg"]);
}

// FAN-57, FAN-86
#[test]
fn a_file_is_found_by_the_id_that_the_user_types() {
    let operator = "[fleet.operator]\nfile_id = \"id{index}\"\nthink_s = 2\n";
    let text = format!("{}{operator}", fleet("typed", ""));
    let parts = [
        "asks its user for the id",
        "the user gave the id",
        "applied",
    ];
    boots_as(FIRST, &text, &parts);
}

// FAN-52
#[test]
fn credentials_are_asked_for_where_the_phone_has_none() {
    let further = "auth = \"digest\"\ncredentials = \"prompt\"\n";
    let operator = "[fleet.operator]\nuser = \"{mac}\"\npassword = \"t-{index}\"\nthink_s = 1\n";
    let text = format!("{}{operator}", fleet("modules", further));
    let parts = ["asks its user for user name and password", "applied"];
    boots_as(FIRST, &text, &parts);
    let (log, _) = boot(&text);
    assert!(!log.contains("t-0"), "{log}");
}
