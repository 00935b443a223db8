use proptest::prelude::*;

use super::*;

/// The built-in Flyingvoice files and one of ours.
fn library(text: &str) -> Library {
    let mut library = Library::default();
    let vendor = include_str!("../../../profiles/flyingvoice/vendor.toml");
    let model = include_str!("../../../profiles/flyingvoice/fip13g.toml");
    library.add("flyingvoice/vendor.toml", vendor).unwrap();
    library.add("flyingvoice/fip13g.toml", model).unwrap();
    library.add("a/b.toml", text).unwrap();
    library
}

fn faults(text: &str) -> String {
    match library(text).load("a/b") {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    }
}

/// The faults of a child of FIP13G with these lines.
fn child_faults(lines: &str) -> String {
    faults(&format!("inherits = \"flyingvoice/fip13g\"\n{lines}"))
}

/// Each child of FIP13G with these lines has a fault that contains the text beside them.
fn contain(children: &[(&str, &str)]) {
    for (lines, expected) in children {
        let found = child_faults(lines);
        assert!(found.contains(expected), "{lines}: {found}");
    }
}

#[test]
fn reports_all_faults_of_a_file_in_one_go_each_at_its_place() {
    let text = r#"inherits = "flyingvoice/fip13g"
modell = "X"
ouis = ["00:21:f2", "01:00:5e"]
[tftp]
options = ["tsize=0", "blksize=7"]
attempts = 300
[fetches.mac-boot]
name = "{mac:uper}.boot"
missing = "comon-boot"
clauses = ["FLY69"]
[dhcp]
retry_ms = [4000, -1]
"#;
    let expected = [
        "a/b.toml:2:1: unknown key 'modell' (did you mean 'model'?)",
        "a/b.toml:3:21: 'ouis[1]' is '01:00:5e' (expected a MAC prefix such as 00:21:f2, not multicast)",
        "a/b.toml:5:23: 'tftp.options[1]' is 'blksize=7' (expected tsize=0, blksize=8 to 65464 or timeout=1 to 255)",
        "a/b.toml:6:12: 'tftp.attempts' is 300 (expected a whole number from 1 to 255)",
        "a/b.toml:8:14: 'fetches.mac-boot.name': unknown form 'uper'; did you mean 'upper'?",
        "a/b.toml:9:11: 'fetches.mac-boot.missing' is 'comon-boot' (expected one of end, own-name, mac-boot, common-boot, common-cfg, mac-cfg; did you mean 'common-boot'?)",
        "a/b.toml:10:12: 'fetches.mac-boot.clauses[0]' is 'FLY69' (expected a clause id such as ABC-12)",
        "a/b.toml:12:19: 'dhcp.retry_ms[1]' is -1 (expected a time in milliseconds, 0 or more)",
    ];
    assert_eq!(faults(text), expected.join("\n"));
}

#[test]
fn accepts_a_child_that_changes_nothing() {
    assert_eq!(child_faults(""), "");
}

#[test]
fn reports_faults_of_a_parent_at_the_parent() {
    let mut library = library("inherits = \"a\"\nmodel = \"M\"\n");
    library
        .add(
            "a/vendor.toml",
            "inherits = \"flyingvoice/fip13g\"\n[tftp]\nattempts = 0\n",
        )
        .unwrap();
    assert_eq!(
        library.load("a/b").unwrap_err().to_string(),
        "a/vendor.toml:3:12: 'tftp.attempts' is 0 (expected a whole number from 1 to 255)"
    );
}

#[test]
fn reports_unknown_circular_and_too_deep_parents_without_inventing_missing_keys() {
    assert_eq!(
        faults("inherits = \"flyingvoise\"\n"),
        "a/b.toml:1:12: unknown parent 'flyingvoise' (did you mean 'flyingvoice'?)"
    );
    assert_eq!(
        faults("inherits = 7\n"),
        "a/b.toml:1:12: 'inherits' is a number (expected a text)"
    );
    let mut circle = library("inherits = \"a/c\"\n");
    circle.add("a/c.toml", "inherits = \"a/b\"\n").unwrap();
    assert_eq!(
        circle.load("a/b").unwrap_err().to_string(),
        "a/c.toml:1:12: 'inherits' goes in a circle: a/b → a/c → a/b"
    );
    let mut deep = library("inherits = \"a/n1\"\n");
    for depth in 1..20 {
        let text = format!("inherits = \"a/n{}\"\n", depth + 1);
        deep.add(&format!("a/n{depth}.toml"), &text).unwrap();
    }
    assert_eq!(
        deep.load("a/b").unwrap_err().to_string(),
        "a/n7.toml:1:12: 'inherits' goes deeper than 8 files"
    );
}

#[test]
fn names_every_table_that_a_profile_without_parent_lacks() {
    let found = faults("vendor = \"V\"\nmodel = \"M\"\n");
    for key in [
        "summary",
        "ouis",
        "firmware",
        "serial",
        "timers",
        "params",
        "discovery",
        "dhcp",
        "sip",
        "tftp",
        "http",
        "walk",
        "given",
        "firmware_rule",
        "content",
    ] {
        let fault = format!("a/b.toml:1:1: missing key '{key}'");
        assert!(found.contains(&fault), "{key}: {found}");
    }
}

#[test]
fn checks_that_the_walk_ends_and_has_what_it_needs() {
    contain(&[
        (
            "[fetches.mac-cfg]\nfound = \"own-name\"\n",
            "a/b.toml:2:1: the walk goes in a circle through 'mac-cfg'",
        ),
        (
            "[walk]\norder = [\"own-name\", \"mac-boot\", \"own-name\"]\n",
            "walk.order[2]' stands there twice",
        ),
        (
            "[walk]\norder = [\"own-name\"]\n",
            "'fetches.own-name.missing' is 'mac-boot', which 'walk.order' leaves out",
        ),
        ("[walk]\norder = []\n", "no fetch to begin with"),
        (
            "[walk]\nchange = \"checksum-file\"\n",
            "a/b.toml:3:10: 'walk.change' is checksum-file, but no fetch has format checksum",
        ),
        (
            "[fetches.mac-cfg]\nverify = true\n",
            "'mac-cfg' is to be verified, but no fetch has format checksum",
        ),
        (
            "[firmware_rule]\nversion = \"version-file\"\n",
            "the version comes from a version file, but no fetch has format version",
        ),
    ]);
}

#[test]
fn checks_the_clients_of_the_lower_protocols() {
    contain(&[
        (
            "[dhcp]\nparameters = [1, 3]\n",
            "option 66 is not in 'dhcp.parameters'",
        ),
        (
            "[dhcp]\nparameters_with_67 = []\n",
            "option 67 is not in 'dhcp.parameters_with_67'",
        ),
        (
            "[dhcp]\nparameters = [66, 66]\n",
            "option 66 stands there twice",
        ),
        ("[dhcp]\nparameters = []\n", "'dhcp.parameters' is empty"),
        (
            "[dhcp]\nparameters = [66, 255]\n",
            "'dhcp.parameters[1]' is 255",
        ),
        (
            "[dhcp]\nretry_ms = []\n",
            "'dhcp.retry_ms' has 0 entries (expected 1 to 32)",
        ),
        (
            "[dhcp]\nmessage_bytes = 100\n",
            "'dhcp.message_bytes' is 100",
        ),
        (
            "[dhcp]\noptions = [\"parameters\", \"parameters\"]\n",
            "'dhcp.options[1]' stands there twice",
        ),
        (
            "[dhcp]\noptions = [\"parameters\"]\n",
            "'dhcp.options' has no message-type (RFC 2131 §3)",
        ),
        ("pnp = false\n", "source 'pnp' needs a table 'pnp'"),
        (
            "[pnp]\ngroup = \"10.0.0.1\"\n",
            "expected an IPv4 multicast address",
        ),
        (
            "[pnp]\nheaders = [\"No colon\"]\n",
            "expected a header field such as",
        ),
        (
            "[pnp]\nheaders = [\"A: b\\r\\nC: d\"]\n",
            "expected a header field such as",
        ),
    ]);
}

#[test]
fn checks_headers_times_parameters_and_sources() {
    contain(&[
        (
            "[http]\nheaders = [\"Host:  {hots}\"]\n",
            "a/b.toml:3:21: 'http.headers[0]': unknown variable 'hots'; did you mean 'host'?",
        ),
        (
            "[http]\nuser_agent = \"a\\nb\"\n",
            "'http.user_agent' is 'a\\nb' (expected a template of one line)",
        ),
        (
            "[timers]\nbetween_files_min_ms = 900\n",
            "'timers.between_files_max_ms' is less than 'between_files_min_ms'",
        ),
        (
            "[tftp]\noptions = [\"timeout=3\", \"timeout=4\"]\n",
            "'tftp.options[1]' is an option that stands there twice",
        ),
        (
            "[given]\ncfg = \"boot\"\n",
            "a/b.toml:3:1: 'cfg' is no suffix",
        ),
        (
            "[given]\n\".x\" = \"xml\"\n",
            "'given..x' is 'xml' (expected one of key-value",
        ),
        ("ouis = []\n", "'ouis' is empty"),
        (
            "[sip]\nresync_events = [\"Check-Sync\"]\n",
            "an event package in small letters",
        ),
        (
            "[params.periodic_s]\ndefault = true\n",
            "'params.periodic_s.default' is a switch (expected a whole number from 0 to",
        ),
        (
            "[params.auth_method]\ndefault = \"digset\"\n",
            "expected one of digest, basic, none, any; did you mean 'digest'?",
        ),
        (
            "[sources.x]\nkind = \"fixed\"\nurl = \"server_ulr\"\n",
            "did you mean 'server_url'?",
        ),
        (
            "[sources.x]\nkind = \"fixed\"\nurl = \"username\"\n",
            "(expected one of server_url, second_server_url)",
        ),
        (
            "[sources.x]\nkind = \"fixed\"\nurl = \"server_url\"\noption = 3\n",
            "unknown key 'option'",
        ),
    ]);
}

#[test]
fn checks_key_patterns_at_their_place() {
    for (pattern, expected) in [
        ("", "3:13: 'keys.rules.x.patterns[0]': pattern is empty"),
        ("a+b", "3:15: 'keys.rules.x.patterns[0]': expected letters"),
        ("a*b", "3:15: 'keys.rules.x.patterns[0]': expected letters"),
        (
            "a.{1-2}.{1-2}",
            "3:22: 'keys.rules.x.patterns[0]': expected letters",
        ),
        (
            "a.{1-2",
            "3:16: 'keys.rules.x.patterns[0]': '{' without '}'",
        ),
        (
            "a.{4-2}",
            "3:17: 'keys.rules.x.patterns[0]': index '4-2' is neither",
        ),
        (
            "a.{keys}",
            "missing key 'index_limits.keys' (expected a whole number",
        ),
        ("a.{accounts}.*", ""),
        ("a.{0-7}", ""),
    ] {
        let found = child_faults(&format!("[keys.rules.x]\npatterns = [\"{pattern}\"]\n"));
        assert_eq!(found.is_empty(), expected.is_empty(), "{pattern}: {found}");
        assert!(found.contains(expected), "{pattern}: {found}");
    }
    for (lines, expected) in [
        ("range = [2, 1]", "'range' is not [least, most]"),
        ("range = [2]", "'range' is not [least, most]"),
        ("words = []", "'words' has no word or an empty one"),
        (
            "words = [\"a\"]\nrange = [1, 2]",
            "'range' and 'words' exclude each other",
        ),
        (
            "meaning = \"bound\"",
            "expected one of plain, reboot, resource, firmware",
        ),
    ] {
        let found = child_faults(&format!("[keys.rules.x]\npatterns = [\"a\"]\n{lines}\n"));
        assert!(found.contains(expected), "{lines}: {found}");
    }
}

#[test]
fn checks_content_files() {
    let settings = "holds = \"settings\"\nscope = \"own\"\nformat = \"key-value\"\n";
    for (lines, expected) in [
        (
            "path = \"/a\"\nholds = \"firmware\"\n",
            "expected a path below the fleet's root",
        ),
        (
            "path = \"a/../b\"\nholds = \"firmware\"\n",
            "expected a path below the fleet's root",
        ),
        (
            "path = \"a\"\nholds = \"firmwear\"\n",
            "did you mean 'firmware'?",
        ),
        (
            "path = \"a\"\nholds = \"firmware\"\nlinks = []\n",
            "unknown key 'links'",
        ),
        (
            "path = \"a\"\nholds = \"checksum\"\nof = \"b\"\n",
            "'content.x[0].of' is 'b' (expected a path of layout 'x')",
        ),
        (
            &format!("path = \"a\"\n{settings}"),
            "a file with a phone's own settings needs {mac} or {index} in its path",
        ),
        (&format!("path = \"{{mac}}\"\n{settings}"), ""),
        (
            "path = \"a\"\nholds = \"settings\"\nscope = \"common\"\nformat = \"boot\"\n",
            "expected one of key-value, answer",
        ),
    ] {
        let found = child_faults(&format!("[[content.x]]\n{lines}"));
        assert_eq!(found.is_empty(), expected.is_empty(), "{lines}: {found}");
        assert!(found.contains(expected), "{lines}: {found}");
    }
    let twice = "[[content.x]]\npath = \"a\"\nholds = \"firmware\"\n".repeat(2);
    assert!(child_faults(&twice).contains("path stands twice in layout 'x'"));
    assert!(child_faults("[content]\nx = []\n").contains("layout 'x' has 0 files"));
}

#[test]
fn checks_content_files_that_name_others() {
    let catalogue = "path = \"a\"\nholds = \"catalogue\"\nroot = \"nvm\"\nversion = \"1.0\"\n";
    let link = "entries = [{ names = \"settings\", path = \"b\", form = \"absolute\" }]\n";
    for (lines, expected) in [
        (&*format!("{catalogue}{link}"), ""),
        (
            &format!("{catalogue}mac_guard = true\n"),
            "a file that names its phone needs {mac} or {index} in its path",
        ),
        (
            &format!("{catalogue}settings = \"all\"\n"),
            "a file with a phone's own settings needs {mac} or {index} in its path",
        ),
        (
            &format!(
                "{catalogue}{}",
                link.replace("names = \"settings", "names = \"setting")
            ),
            "did you mean 'settings'?",
        ),
        (
            &format!("{catalogue}{}", link.replace("absolute", "hostly")),
            "expected one of absolute, host, relative",
        ),
        (
            &format!("{catalogue}{}", link.replace("\"b\"", "\"../b\"")),
            "expected a path below the fleet's root",
        ),
        (
            "path = \"a\"\nholds = \"sections\"\nscope = \"own\"\n",
            "a file with a phone's own settings needs {mac} or {index} in its path",
        ),
        (
            "path = \"a\"\nholds = \"operations\"\nadd = \"own\"\n",
            "a file with a phone's own settings needs {mac} or {index} in its path",
        ),
        (
            "path = \"a\"\nholds = \"certificate\"\nform = \"pfx\"\n",
            "expected one of pem, der",
        ),
        (
            "path = \"a\"\nholds = \"references\"\n",
            "missing key 'content.x[0].links'",
        ),
    ] {
        let found = child_faults(&format!("[[content.x]]\n{lines}"));
        assert_eq!(found.is_empty(), expected.is_empty(), "{lines}: {found}");
        assert!(found.contains(expected), "{lines}: {found}");
    }
}

#[test]
fn takes_away_what_false_stands_for_and_begins_where_the_order_says() {
    let lines = "pnp = false\ncontent.boot = false\n\
                 [discovery]\norder = [\"profile-rule\", \"dhcp\"]\n\
                 [walk]\norder = [\"common-cfg\", \"mac-cfg\"]\n";
    let text = format!("inherits = \"flyingvoice/fip13g\"\n{lines}");
    let profile = library(&text).load("a/b").unwrap();
    assert_eq!(profile.pnp, None);
    assert!(profile.content.iter().all(|file| file.layout != "boot"));
    let ids: Vec<&str> = profile
        .sources
        .iter()
        .map(|source| source.id.as_str())
        .collect();
    assert_eq!(ids, ["profile-rule", "dhcp"]);
    let ids: Vec<&str> = profile
        .fetches
        .iter()
        .map(|fetch| fetch.id.as_str())
        .collect();
    assert_eq!(ids, ["common-cfg", "mac-cfg"]);
    assert_eq!(profile.steps.len(), usize::from(StepId::FIRST_FETCH) + 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Cutting, doubling and replacing pieces of a real file gives a profile or faults, each with
    /// a place, and never anything worse.
    #[test]
    fn survives_damaged_files(
        at in 0_usize..18_000,
        length in 0_usize..40,
        with in "[\\[\\]{}=\"'.\n0a-]{0,6}",
    ) {
        let vendor = include_str!("../../../profiles/flyingvoice/vendor.toml");
        let cut = |at: usize| {
            let mut at = at.min(vendor.len());
            while !vendor.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let text = format!("{}{with}{}", &vendor[..cut(at)], &vendor[cut(at + length)..]);
        let mut library = library("inherits = \"flyingvoice/fip13g\"\n");
        library.add("flyingvoice/vendor.toml", &text).unwrap();
        if let Err(faults) = library.load("a/b") {
            prop_assert!(!faults.is_empty());
            for fault in faults.list {
                prop_assert!(fault.place.line >= 1 && fault.place.column >= 1);
                prop_assert!(!fault.message.contains('\n'), "{}", fault);
            }
        }
    }
}

#[test]
fn verifies_certificates_unless_told_otherwise_and_has_a_factory_certificate_only_where_told() {
    let load = |name: &str, texts: &[(&str, &str)]| {
        let careless = "inherits = \"flyingvoice/fip13g\"\n[http]\nverify_certificate = false\n\
                        client_certificate = \"{mac:colon-upper}\"\n";
        let mut library = library(careless);
        for (path, text) in texts {
            library.add(path, text).unwrap();
        }
        library.load(name).unwrap().http
    };
    let http = load("flyingvoice/fip13g", &[]);
    assert!(http.verify_certificate && http.client_certificate.is_none());
    let http = load("a/b", &[]);
    assert!(!http.verify_certificate);
    let name = http.client_certificate.unwrap();
    assert_eq!(name.source(), "{mac:colon-upper}");
    let child = "inherits = \"a/b\"\n[http]\nclient_certificate = false\n";
    let http = load("a/c", &[("a/c.toml", child)]);
    assert!(http.client_certificate.is_none());
    contain(&[
        (
            "[http]\nclient_certificate = \"phone\"\n",
            "expected a common name with {mac} or {index} in it, or false",
        ),
        (
            "[http]\nverify_certificate = \"no\"\n",
            "'http.verify_certificate' is a text (expected true or false)",
        ),
    ]);
}
