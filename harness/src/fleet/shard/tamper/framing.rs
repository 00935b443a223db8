//! Where a message on a stream ends.

use bootstorm_emulator::limits::HEADERS_MAX;
use bootstorm_emulator::wire::sip;
use bootstorm_scenarios::mutant::Protocol;

/// What ends a chunked body without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The length of the first message of a stream, when it is complete: of a response, to this
/// request.
pub(super) fn complete(protocol: Protocol, asked: &[u8], held: &[u8]) -> Option<usize> {
    if protocol == Protocol::Sip {
        // What nobody understands passes as it is.
        return sip::frame(held).unwrap_or(Some(held.len()));
    }
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut fields);
    let head = match parsed.parse(held) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(held.len()),
    };
    let value = |name: &str| {
        let mut fields = parsed.headers.iter();
        let found = fields.find(|field| field.name.eq_ignore_ascii_case(name));
        found.map(|field| String::from_utf8_lossy(field.value).to_ascii_lowercase())
    };
    let code = parsed.code.unwrap_or(0);
    if matches!(code, 100..=199 | 204 | 304) || asked.starts_with(b"HEAD ") {
        return Some(head);
    }
    if value("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        let body = held.get(head..)?;
        let end = match body.starts_with(LAST_CHUNK) {
            true => 0,
            false => {
                body.windows(7)
                    .position(|window| window == b"\r\n0\r\n\r\n")?
                    + 2
            }
        };
        return Some(head + end + LAST_CHUNK.len());
    }
    let length: usize = value("content-length")?.trim().parse().ok()?;
    let end = head.checked_add(length)?;
    (end <= held.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_where_its_length_says() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1";
        let end = whole.len() - b"HTTP/1.1".len();
        assert_eq!(complete(Protocol::Http, b"GET /", whole), Some(end));
        assert_eq!(complete(Protocol::Http, b"GET /", &whole[..end - 1]), None);
        assert_eq!(complete(Protocol::Http, b"HEAD /", whole), Some(end - 3));
        let unmodified = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(
            complete(Protocol::Http, b"GET /", unmodified),
            Some(unmodified.len())
        );
    }

    #[test]
    fn a_response_without_length_ends_with_its_last_chunk_or_its_connection() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
        for (body, complete_at) in [
            (b"3\r\nabc\r\n".as_slice(), None),
            (b"3\r\nabc\r\n0\r\n\r\n", Some(13)),
            (b"0\r\n\r\nmore", Some(5)),
            (b"10\r\n\r\n", None),
        ] {
            let whole = [head, body].concat();
            let end = complete_at.map(|end| head.len() + end);
            assert_eq!(complete(Protocol::Http, b"GET /", &whole), end);
        }
        assert_eq!(
            complete(Protocol::Http, b"GET /", b"HTTP/1.1 200 OK\r\n\r\nabc"),
            None
        );
    }

    #[test]
    fn nonsense_passes_as_it_is() {
        for protocol in [Protocol::Http, Protocol::Sip] {
            let nonsense = b"\x16\x03 nonsense\r\nContent-Length: x\r\n\r\n";
            assert_eq!(complete(protocol, b"", nonsense), Some(nonsense.len()));
        }
    }
}
