use proptest::prelude::*;

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text, Scheme::Tftp).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

/// Everything that a parsed URL holds, as one line.
fn whole(url: &Url) -> String {
    let Url {
        scheme,
        user,
        password,
        host,
        port,
        path,
    } = url;
    let port = port.map_or_else(|| "-".to_owned(), |port| port.to_string());
    format!("{} {user}|{password} {host} {port} {path}", scheme.name())
}

#[test]
fn reads_every_form_that_phones_are_given() {
    for (text, expected) in [
        // FLY-66
        ("192.168.50.92", "tftp | 192.168.50.92 - /"),
        ("prov.example.com:8069", "tftp | prov.example.com 8069 /"),
        ("10.0.0.1/cfg/a.boot", "tftp | 10.0.0.1 - /cfg/a.boot"),
        ("10.0.0.1:70/a", "tftp | 10.0.0.1 70 /a"),
        ("//10.0.0.1/a", "tftp | 10.0.0.1 - /a"),
        // FLY-83
        ("tftp://192.168.50.92/", "tftp | 192.168.50.92 - /"),
        // FLY-84
        (
            "ftp://username:password@10.1.1.1/",
            "ftp username|password 10.1.1.1 - /",
        ),
        ("ftp://u:p@ss@h/", "ftp u|p@ss h - /"),
        ("ftp://u:p:q@h/", "ftp u|p:q h - /"),
        ("ftp://us%40er:p%2Fw%3a%C3%A9@h/", "ftp us@er|p/w:é h - /"),
        ("http://u%zz:50%@h/", "http u%zz|50% h - /"),
        ("http://%ff:x@h/", "http %ff|x h - /"),
        ("http://only@h/", "http only| h - /"),
        ("u:p@h/x", "tftp u|p h - /x"),
        // FLY-85
        (
            "http://10.2.11.101:8088/ProvisioningDir",
            "http | 10.2.11.101 8088 /ProvisioningDir",
        ),
        // FLY-16
        (
            "http://10.20.0.88/HTTP Directory/sip.cfg",
            "http | 10.20.0.88 - /HTTP Directory/sip.cfg",
        ),
        (
            "https://h/config/$(MA)?mac=$(MA)&x=%20",
            "https | h - /config/$(MA)?mac=$(MA)&x=%20",
        ),
        ("http://h?mail=a@b", "http | h - /?mail=a@b"),
        ("http://h/x@y:z", "http | h - /x@y:z"),
        ("HtTpS://Host.Name/A", "https | Host.Name - /A"),
        // AUE-32: the terminating NUL counts.
        ("http://foo\0", "http | foo - /"),
        (" \thttp://foo/x \r\n\0", "http | foo - /x"),
    ] {
        assert_eq!(whole(&url(text)), expected, "{text}");
    }
}

#[test]
fn says_what_is_wrong_with_a_text() {
    for (text, fault) in [
        ("", UrlFault::Host),
        ("   ", UrlFault::Host),
        ("http://", UrlFault::Host),
        ("http:///x", UrlFault::Host),
        ("/path", UrlFault::Host),
        ("http://u:p@/x", UrlFault::Host),
        ("http://[fe80::1]/x", UrlFault::Host),
        ("http://fe80::1/x", UrlFault::Host),
        ("fe80::1", UrlFault::Host),
        // GIG-20
        ("http:/my_server/x", UrlFault::Host),
        ("http://my host/x", UrlFault::Host),
        ("http://hôte/x", UrlFault::Host),
        ("sip://h/", UrlFault::Scheme),
        ("file:///etc/passwd", UrlFault::Scheme),
        ("http://h:/x", UrlFault::Port),
        ("http://h:0/", UrlFault::Port),
        ("http://h:65536/", UrlFault::Port),
        ("http://h:+80/", UrlFault::Port),
        ("http://h:8o/", UrlFault::Port),
        ("http://h/a\tb", UrlFault::Text),
        ("http://h/a\r\nX: y", UrlFault::Text),
        ("http://h/a\u{7f}", UrlFault::Text),
        ("ftp://u%0d%0aQUIT:p@h/", UrlFault::Text),
    ] {
        assert_eq!(Url::parse(text, Scheme::Tftp), Err(fault), "{text:?}");
    }
}

#[test]
fn refuses_a_url_over_the_limit() {
    let longest = format!("http://h/{}", "a".repeat(URL_BYTES_MAX - 9));
    assert_eq!(longest.len(), URL_BYTES_MAX);
    let base = url(&longest);
    assert_eq!(
        Url::parse(&format!("{longest}a"), Scheme::Http),
        Err(UrlFault::Text)
    );
    let link = "b".repeat(URL_BYTES_MAX - 9);
    assert_eq!(
        url("http://h/").join(&link).unwrap().path.len(),
        link.len() + 1
    );
    assert_eq!(base.join(&format!("{longest}a")), Err(UrlFault::Text));
    let deep = url(&format!("http://h/{}/", "a".repeat(1_500)));
    assert_eq!(deep.join(&"b".repeat(1_500)), Err(UrlFault::Text));
}

#[test]
fn resolves_links_against_their_document() {
    let base = url("http://u:p@10.20.0.88:8088/dir/sub/mac.boot?x=/a/b");
    for (link, expected) in [
        // FLY-15
        ("sip.cfg", "http u|p 10.20.0.88 8088 /dir/sub/sip.cfg"),
        (
            "HTTP Directory/sip.cfg",
            "http u|p 10.20.0.88 8088 /dir/sub/HTTP Directory/sip.cfg",
        ),
        ("./sip.cfg", "http u|p 10.20.0.88 8088 /dir/sub/sip.cfg"),
        ("../sip.cfg", "http u|p 10.20.0.88 8088 /dir/sip.cfg"),
        ("../../../../sip.cfg", "http u|p 10.20.0.88 8088 /sip.cfg"),
        ("..", "http u|p 10.20.0.88 8088 /dir/"),
        ("a/./b/../c", "http u|p 10.20.0.88 8088 /dir/sub/a/c"),
        (
            "x.cfg?up=../..",
            "http u|p 10.20.0.88 8088 /dir/sub/x.cfg?up=../..",
        ),
        ("a:b.cfg", "http u|p 10.20.0.88 8088 /dir/sub/a:b.cfg"),
        // AUE-60, GIG-29
        (
            "/second_file.xml",
            "http u|p 10.20.0.88 8088 /second_file.xml",
        ),
        ("/../x", "http u|p 10.20.0.88 8088 /x"),
        // FLY-16, FLY-17
        ("http://10.20.0.92/mac.cfg", "http | 10.20.0.92 - /mac.cfg"),
        ("TFTP://10.20.0.92/mac.cfg", "tftp | 10.20.0.92 - /mac.cfg"),
        ("//other/x", "http | other - /x"),
        ("?y=1", "http u|p 10.20.0.88 8088 /dir/sub/mac.boot?y=1"),
        ("", "http u|p 10.20.0.88 8088 /dir/sub/mac.boot?x=/a/b"),
        (" sip.cfg\r\n", "http u|p 10.20.0.88 8088 /dir/sub/sip.cfg"),
    ] {
        let joined = base.join(link).unwrap();
        assert_eq!(whole(&joined), expected, "{link:?}");
    }
    assert_eq!(base.join("http:/my_server/x"), Err(UrlFault::Host));
    assert_eq!(base.join("gopher://h/x"), Err(UrlFault::Scheme));
    assert_eq!(base.join("a\0b"), Err(UrlFault::Text));
}

#[test]
fn resolves_the_examples_of_rfc_3986() {
    // §5.4, without `g:h` and `http:g`: a scheme is one only with `//` here.
    let base = url("http://a/b/c/d;p?q");
    for (link, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("g#s", "http://a/b/c/g#s"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y#s"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g#s/./x"),
        ("g#s/../x", "http://a/b/c/g#s/../x"),
    ] {
        assert_eq!(base.join(link).unwrap().to_string(), expected, "{link}");
    }
}

#[test]
fn tells_directories_from_files() {
    for (text, directory, name) in [
        ("tftp://h/", true, ""),
        ("tftp://h", true, ""),
        (
            "http://10.2.11.101:8088/ProvisioningDir",
            true,
            "ProvisioningDir",
        ),
        ("http://h/v1.2/", true, ""),
        ("http://h/v1.2/dir", true, "dir"),
        ("http://h/.hidden", true, ".hidden"),
        ("http://h/a/..", true, ".."),
        ("tftp://h/0021f222b01d.cfg", false, "0021f222b01d.cfg"),
        ("http://h/.a.b", false, ".a.b"),
        ("http://h/x.", false, "x."),
        ("http://h/app?class=M/N;mac_address=0", false, "app"),
        ("http://h/dir/?x=1", false, ""),
    ] {
        let url = url(text);
        assert_eq!(url.is_directory(), directory, "{text}");
        assert_eq!(url.file_name(), name, "{text}");
    }
}

#[test]
fn names_the_directory_that_a_walk_looks_in() {
    for (text, directory) in [
        ("tftp://h", "tftp://h/"),
        (
            "http://h:8088/ProvisioningDir",
            "http://h:8088/ProvisioningDir/",
        ),
        ("http://h/dir/", "http://h/dir/"),
        ("http://h/dir/a.cfg", "http://h/dir/"),
        ("http://h/dir/a?x=/y", "http://h/dir/"),
    ] {
        assert_eq!(url(text).directory().to_string(), directory, "{text}");
    }
    let walked = url("http://h:8088/ProvisioningDir").directory();
    let file = walked.join("0021f222b01d.boot").unwrap();
    assert_eq!(
        file.to_string(),
        "http://h:8088/ProvisioningDir/0021f222b01d.boot"
    );
}

#[test]
fn never_prints_credentials() {
    let url = url("ftp://bob:hush@h:2121/x");
    assert_eq!(url.to_string(), "ftp://h:2121/x");
    assert_eq!(format!("{url:?}"), "Url(ftp://h:2121/x with credentials)");
}

#[test]
fn writes_the_port_into_the_host_field_only_where_it_must() {
    for (text, host) in [
        ("http://h/", "h"),
        ("http://h:80/", "h"),
        ("https://h:80/", "h:80"),
        ("https://h:443/", "h"),
        ("http://h:8088/", "h:8088"),
    ] {
        assert_eq!(url(text).host_field(), host, "{text}");
    }
}

proptest! {
    #[test]
    fn what_was_read_and_printed_reads_the_same(text in "(HTTP://|ftp://)?([a-z]{1,3}:[a-z%@]{0,4}@)?[a-z0-9.]{1,9}(:[1-9][0-9]{1,3})?(/[ -~]{0,12})?") {
        if let Ok(mut first) = Url::parse(&text, Scheme::Tftp) {
            first.user.clear();
            first.password.clear();
            prop_assert_eq!(Url::parse(&first.to_string(), Scheme::Tftp), Ok(first));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(base in any::<String>(), link in any::<String>()) {
        if let Ok(url) = Url::parse(&base, Scheme::Http) {
            let _ = url.directory();
            if let Ok(joined) = url.join(&link) {
                prop_assert!(joined.path.starts_with('/'));
            }
        }
    }

    #[test]
    fn a_relative_link_stays_on_its_server(path in "[a-z./ ]{0,30}") {
        let base = url("http://h/a/b/c.boot");
        if !path.trim().starts_with("//") {
            let joined = base.join(&path).unwrap();
            prop_assert_eq!((&joined.host, joined.port), (&base.host, base.port));
            if !path.trim().is_empty() {
                prop_assert!(!joined.path.split('/').any(|segment| segment == ".."), "{}", joined);
            }
        }
    }
}
