use proptest::prelude::*;

use super::*;

/// What a response comes to: its head, its body, and whether (and after which byte) it ended.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    head: Option<ResponseHead>,
    body: Vec<u8>,
    left: Option<usize>,
    when_closed: bool,
}

/// Feeds `bytes` cut at `cuts`.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<Answer, ReadFault> {
    let mut reader = ResponseReader::default();
    let mut answer = Answer {
        head: None,
        body: Vec::new(),
        left: None,
        when_closed: false,
    };
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    for end in ends {
        let mut input = &bytes[start..end];
        start = end;
        loop {
            match reader.read(&mut input)? {
                Some(Part::Head(head)) => assert!(answer.head.replace(head).is_none()),
                Some(Part::Body(piece)) => {
                    assert!(!piece.is_empty());
                    answer.body.extend_from_slice(piece);
                }
                Some(Part::End) => {
                    answer.left = Some(bytes.len() - end + input.len());
                    answer.when_closed = reader.complete_when_closed();
                    return Ok(answer);
                }
                None => break,
            }
        }
    }
    answer.when_closed = reader.complete_when_closed();
    Ok(answer)
}

fn whole(bytes: &[u8]) -> Answer {
    read(bytes, &[]).unwrap_or_else(|fault| panic!("{}: {fault}", bytes.escape_ascii()))
}

fn head(bytes: &[u8]) -> ResponseHead {
    whole(bytes).head.expect("a head")
}

fn malformed(bytes: &[u8]) -> &'static str {
    match read(bytes, &[]) {
        Err(ReadFault::Malformed(fault)) => fault.what,
        other => panic!("{}: {other:?}", bytes.escape_ascii()),
    }
}

#[test]
fn writes_a_target_as_the_grammar_demands() {
    for (path, target) in [
        // FLY-18
        ("/HTTP Directory/sip.cfg", "/HTTP%20Directory/sip.cfg"),
        ("/a%20b%2fc", "/a%20b%2fc"),
        ("/100%", "/100%25"),
        ("/%zz%4", "/%25zz%254"),
        ("/é\t", "/%C3%A9%09"),
        ("/<MAC>{a}\"|^`\\", "/%3CMAC%3E%7Ba%7D%22%7C%5E%60%5C"),
        (
            "/$(MA)?mac=$mac&x=a+b;c@d:e!*',~",
            "/$(MA)?mac=$mac&x=a+b;c@d:e!*',~",
        ),
        ("/a?b=c#part", "/a?b=c"),
        ("/a\r\nHost: evil", "/a%0D%0AHost:%20evil"),
    ] {
        let mut out = Vec::new();
        write_target(&mut out, path);
        assert_eq!(String::from_utf8(out).unwrap(), target);
    }
}

#[test]
fn writes_a_request_in_the_given_order_and_case() {
    let mut out = b"before".to_vec();
    write_request_line(&mut out, "GET", "/a b");
    for (name, value) in [
        ("uSER-agent", "X"),
        ("Authorization", ""),
        ("Host", "h\r\nEvil: 1\0"),
        ("Only-Controls", "\r\n"),
    ] {
        write_field(&mut out, name, |out| {
            out.extend_from_slice(value.as_bytes())
        });
    }
    write_end(&mut out);
    assert_eq!(
        out.escape_ascii().to_string(),
        b"beforeGET /a%20b HTTP/1.1\r\nuSER-agent: X\r\nHost: hEvil: 1\r\n\r\n"
            .escape_ascii()
            .to_string()
    );
}

#[test]
fn reads_back_the_head_of_a_request() {
    let bytes =
        b"GET /a%20b?x HTTP/1.1\r\nHost: h:81\r\nX: 1\r\nx: 2\r\nContent-Length: 3\r\n\r\nabc";
    let head = parse_request_head(bytes).unwrap().unwrap();
    assert_eq!((head.method, head.target), ("GET", "/a%20b?x"));
    assert_eq!(head.fields.get("HOST"), Some("h:81"));
    assert_eq!(head.fields.values("x").count(), 2);
    assert_eq!(head.fields.content_length(), Ok(Some(3)));
    assert!(head.fields.keep_alive(head.minor_version));
    assert_eq!(&bytes[head.length..], b"abc");
    for end in 0..head.length {
        assert!(
            parse_request_head(&bytes[..end]).unwrap().is_none(),
            "{end}"
        );
    }
    let old = parse_request_head(b"GET / HTTP/1.0\r\n\r\n")
        .unwrap()
        .unwrap();
    assert!(!old.fields.keep_alive(old.minor_version));
}

#[test]
fn refuses_a_request_head_that_is_none_or_over_a_limit() {
    assert!(parse_request_head(b"\x16\x03\x01\x02\x00").is_err());
    assert!(parse_request_head(b"GET / FTP/1.1\r\n\r\n").is_err());
    let many = [
        "GET / HTTP/1.1\r\n",
        &"A: b\r\n".repeat(HEADERS_MAX + 1),
        "\r\n",
    ]
    .concat();
    assert_eq!(
        parse_request_head(many.as_bytes()).unwrap_err().what,
        "too many header fields"
    );
    for end in ["", "\r\n\r\n"] {
        let long = ["GET / HTTP/1.1\r\nA: ", &"b".repeat(HEADER_BYTES_MAX), end].concat();
        assert_eq!(
            parse_request_head(long.as_bytes()).unwrap_err().what,
            "header section too long"
        );
    }
}

#[test]
fn writes_responses_that_the_reader_reads() {
    let mut out = Vec::new();
    write_response(&mut out, 200, &[("Content-Type", "text/plain")], b"body");
    assert_eq!(
        out,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"
    );
    assert_eq!(whole(&out).body, b"body");
    out.clear();
    write_response(&mut out, 204, &[], b"ignored");
    assert_eq!(out, b"HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(whole(&out).left, Some(0));
    out.clear();
    write_response(&mut out, 599, &[("content-length", "2")], b"ab");
    assert_eq!(out, b"HTTP/1.1 599 \r\ncontent-length: 2\r\n\r\nab");
    assert_eq!(head(&out).status, 599);
    out.clear();
    write_response(
        &mut out,
        200,
        &[("Transfer-Encoding", "chunked")],
        b"0\r\n\r\n",
    );
    assert_eq!(whole(&out).left, Some(0));
}

#[test]
fn ends_a_body_where_its_framing_says() {
    for (bytes, body, left) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcNEXT"[..], &b"abc"[..], Some(4)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nN", b"", Some(1)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\nContent-Length: 3\r\n\r\nabc", b"abc", Some(0)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", b"abc", None),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nN", b"", Some(1)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", Some(0)),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc", None),
        (b"\r\n\nHTTP/1.1 200 OK\ncontent-LENGTH: 1\n\na", b"a", Some(0)),
        (
            b"HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            b"a",
            Some(0),
        ),
        (b"HTTP/1.1 101 Switching\r\n\r\nws", b"", Some(2)),
        // The transfer coding wins over a length (RFC 9112 §6.3).
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nN",
            b"abc",
            Some(1),
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\"y\"\r\na\r\n00A \r\n0123456789\n0;z\r\nT: r\r\nU: s\r\n\r\n",
            b"a0123456789",
            Some(0),
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", b"abc", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"a", None),
    ] {
        let answer = whole(bytes);
        assert_eq!(answer.body, body, "{}", bytes.escape_ascii());
        assert_eq!(answer.left, left, "{}", bytes.escape_ascii());
    }
}

#[test]
fn takes_the_end_of_the_connection_for_the_end_of_a_body_without_framing_only() {
    assert!(whole(b"HTTP/1.1 200 OK\r\n\r\nabc").when_closed);
    assert!(!whole(b"HTTP/1.1 200 OK\r\n").when_closed);
    assert!(!whole(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc").when_closed);
    assert!(!whole(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na").when_closed);
}

#[test]
fn knows_whether_the_connection_can_be_used_again() {
    for (bytes, keep_alive) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..], true),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Foo, Close\r\n\r\n",
            false,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n", false),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n",
            true,
        ),
        (
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n",
            false,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            true,
        ),
    ] {
        assert_eq!(
            head(bytes).keep_alive,
            keep_alive,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn keeps_location_and_every_challenge() {
    let head = head(
        b"HTTP/1.1 401 No\r\nLocation: /a b\xff\r\nwww-authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"y\",\r\n  nonce=\"z\"\r\nContent-Length: 7\r\n\r\n",
    );
    assert_eq!(head.status, 401);
    assert_eq!(head.length, Some(7));
    assert_eq!(head.location.as_deref(), Some("/a b\u{fffd}"));
    assert_eq!(
        head.challenges,
        ["Basic realm=\"x\"", "Digest realm=\"y\", nonce=\"z\""]
    );
}

#[test]
fn refuses_what_is_no_response() {
    for (bytes, what) in [
        (&b"<html>\n\n"[..], "invalid HTTP version"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "invalid HTTP version"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "invalid status"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "status below 100"),
        (b"HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", "invalid header name"),
        (b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", "invalid header value"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "content-length values differ",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3,4\r\n\r\n",
            "content-length values differ",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n",
            "content-length is no number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "content-length is no number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            "content-length is no number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            "content-length is no number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "unknown transfer coding",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx",
            "chunk size is no hex number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "chunk size is no hex number",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab",
            "no line end after a chunk",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000",
            "chunk size too large",
        ),
    ] {
        assert_eq!(malformed(bytes), what, "{}", bytes.escape_ascii());
    }
}

#[test]
fn bounds_what_it_keeps_of_a_head() {
    let endless = [
        &b"HTTP/1.1 200 OK\r\nA: "[..],
        &vec![b'b'; HEADER_BYTES_MAX],
    ]
    .concat();
    assert_eq!(read(&endless, &[100]), Err(ReadFault::HeaderBytes));
    let many = [
        &b"HTTP/1.1 200 OK\r\n"[..],
        &b"A: b\r\n".repeat(HEADERS_MAX + 1),
        b"\r\n",
    ]
    .concat();
    assert_eq!(read(&many, &[]), Err(ReadFault::HeaderCount));
    let most = [
        &b"HTTP/1.1 200 OK\r\n"[..],
        &b"A: b\r\n".repeat(HEADERS_MAX),
        b"\r\n",
    ]
    .concat();
    assert_eq!(head(&most).status, 200);
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
    assert_eq!(read(&interim, &[]), Err(ReadFault::HeaderBytes));
    let blank = b"\r\n".repeat(HEADER_BYTES_MAX);
    assert_eq!(read(&blank, &[]), Err(ReadFault::HeaderBytes));
    let chunked = &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..];
    let extensions = [chunked, &b"1;eeeeeeeeeeeeeeee\r\na\r\n".repeat(2_000)].concat();
    assert_eq!(read(&extensions, &[]), Err(ReadFault::HeaderBytes));
    let trailers = [chunked, b"0\r\n", &b"T: r\r\n".repeat(10_000)].concat();
    assert_eq!(read(&trailers, &[]), Err(ReadFault::HeaderBytes));
    let chunks = [chunked, &b"1\r\na\r\n".repeat(20_000), b"0\r\n\r\n"].concat();
    assert_eq!(read(&chunks, &[]).unwrap().body.len(), 20_000);
}

/// A response of a random shape.
fn responses() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(any::<u8>(), 0..60);
    let chunks = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..5);
    prop_oneof![
        (0_u16..800, body, any::<bool>()).prop_map(|(status, body, interim)| {
            let mut out = Vec::new();
            if interim {
                write_response(&mut out, 100, &[], b"");
            }
            write_response(&mut out, status + 200, &[("X", "y")], &body);
            out
        }),
        chunks.prop_map(|chunks| {
            let mut out = Vec::new();
            write_response_head(&mut out, 200, &[("Transfer-Encoding", "chunked")]);
            write_end(&mut out);
            for chunk in chunks {
                out.extend_from_slice(format!("{:x};e\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(&chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\nT: r\r\n\r\nrest");
            out
        }),
    ]
}

proptest! {
    #[test]
    fn cuts_make_no_difference(
        bytes in responses(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        prop_assert_eq!(read(&bytes, &cuts), read(&bytes, &[]));
        let every: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(read(&bytes, &every), read(&bytes, &[]));
    }

    #[test]
    fn damaged_responses_are_read_or_refused_alike(
        mut bytes in responses(),
        at in any::<usize>(),
        byte in any::<u8>(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let at = at % bytes.len();
        bytes[at] = byte;
        prop_assert_eq!(read(&bytes, &cuts), read(&bytes, &[]));
    }

    #[test]
    fn any_bytes_are_read_or_refused(start in "(HTTP/1[.]1 200 OK\r\n)?((Content-Length|Transfer-Encoding|A): [0-9a-z,]{0,9}\r\n){0,3}", bytes in any::<Vec<u8>>()) {
        let all = [start.as_bytes(), &bytes].concat();
        let _ = read(&all, &[3]);
        let _ = parse_request_head(&all);
        let _ = parse_request_head(&bytes);
    }

    #[test]
    fn a_written_target_is_one_word_and_stays_as_it_is(path in "/\\PC{0,30}") {
        let mut once = Vec::new();
        write_target(&mut once, &path);
        prop_assert!(once.iter().all(u8::is_ascii_graphic));
        let mut twice = Vec::new();
        write_target(&mut twice, std::str::from_utf8(&once).unwrap());
        prop_assert_eq!(once, twice);
    }
}
