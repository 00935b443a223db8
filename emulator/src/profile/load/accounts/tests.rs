use crate::profile::Profile;
use crate::profile::load::Library;

/// A child of Plug-n-Dial's model with these lines; what it comes to, or its faults.
fn child(lines: &str) -> Result<Profile, String> {
    let vendor = include_str!("../../../../profiles/plug-n-dial/vendor.toml");
    let model = include_str!("../../../../profiles/plug-n-dial/bva8051.toml");
    let mut library = Library::default();
    library.add("plug-n-dial/vendor.toml", vendor).unwrap();
    library.add("plug-n-dial/bva8051.toml", model).unwrap();
    let text = format!("inherits = \"plug-n-dial/bva8051\"\n{lines}");
    library.add("a/b.toml", &text).unwrap();
    library.load("a/b").map_err(|faults| faults.to_string())
}

#[test]
fn registers_as_the_rfc_says_where_the_profile_says_nothing() {
    let spec = child("").unwrap().accounts.unwrap();
    assert_eq!((spec.first, spec.count, spec.enabled), (1, 1, true));
    assert_eq!(
        (spec.port, spec.expires_s, spec.retry_s),
        (5_060, 3_600, 300)
    );
    assert_eq!(spec.request_uri.source(), "sip:{domain}");
    let names: Vec<&str> = spec.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 11);
    for needed in [
        "Via",
        "Max-Forwards",
        "To",
        "From",
        "Call-ID",
        "CSeq",
        "Contact",
    ] {
        assert!(names.contains(&needed), "{needed}");
    }
    assert!(spec.headers.iter().all(|(_, value)| !value.is_empty()));
}

#[test]
fn takes_what_a_profile_says() {
    let lines = "[index_limits]\nlines = 6\n[accounts]\nfirst = 0\ncount = \"lines\"\n\
        enable = \"a.{n}.on\"\nenabled = true\nuser = \"a.{n}.user\"\n\
        auth_user = \"a.{n}.auth\"\npassword = \"a.{n}.pw\"\nregistrar = \"a.{n}.host\"\n\
        port = \"a.{n}.port\"\ntransport = \"all.transport\"\nretry = \"all.retry\"\n\
        default_port = 5070\nexpires_s = 180\nretry_s = 0\nrequest_uri = \"sip:{domain}:1\"\n\
        headers = [\"Via: x\"]\n";
    let spec = child(lines).unwrap().accounts.unwrap();
    assert_eq!((spec.first, spec.count, spec.enabled), (0, 6, true));
    assert_eq!(spec.numbers().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    assert_eq!((spec.port, spec.expires_s, spec.retry_s), (5_070, 180, 0));
    assert_eq!(spec.keys.user.unwrap().of(5), "a.5.user");
    assert_eq!(spec.headers.len(), 1);
    assert_eq!(child("accounts = false\n").unwrap().accounts, None);
}

#[test]
fn reports_what_cannot_be() {
    for (lines, expected) in [
        ("count = 33\n", "expected a whole number from 1 to 32"),
        ("count = 2\n", "'accounts.user' has no {n}"),
        ("count = \"lines\"\n", "missing key 'index_limits.lines'"),
        (
            "user = \"a.{m}\"\n",
            "expected a setting key with at most one {n}",
        ),
        ("retries = 3\n", "unknown key 'retries' (expected one of"),
        ("expires_s = 1\n", "expected a whole number from 60"),
        ("request_uri = \"sip:{domian}\"\n", "'domain'"),
        ("headers = [\"nothing\"]\n", "expected a header field"),
    ] {
        let found = child(&format!("[accounts]\n{lines}")).unwrap_err();
        assert!(found.contains(expected), "{lines}: {found}");
    }
    let near = "[index_limits]\naccounts = 4\n[accounts]\ncount = \"acounts\"\n";
    let found = child(near).unwrap_err();
    assert!(found.contains("(did you mean 'accounts'?)"), "{found}");
}
