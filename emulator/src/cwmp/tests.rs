use super::*;
use crate::event::Fault;
use crate::wire::soap::Version;

#[test]
fn writes_times_as_xml_has_them() {
    for (unix_s, text) in [
        (None, "0001-01-01T00:00:00Z"),
        (Some(0), "1970-01-01T00:00:00Z"),
        (Some(951_782_399), "2000-02-28T23:59:59Z"),
        (Some(951_782_400), "2000-02-29T00:00:00Z"),
        (Some(1_767_571_200), "2026-01-05T00:00:00Z"),
        (Some(4_107_542_400), "2100-03-01T00:00:00Z"),
    ] {
        assert_eq!(date_time(unix_s), text);
    }
    assert!(date_time(Some(u64::MAX)).ends_with('Z'));
}

#[test]
fn knows_a_code_for_each_way_to_fail() {
    for (fault, code) in [
        (Fault::Unauthorized, 9_012),
        (Fault::Scheme, 9_013),
        (Fault::Silence, 9_015),
        (Fault::NotThere, 9_016),
        (Fault::FtpReply(550), 9_016),
        (Fault::FtpReply(530), 9_012),
        (Fault::ConnectionBroken, 9_017),
        (Fault::WrongKey, 9_018),
        (Fault::Cycle, 9_010),
    ] {
        assert_eq!(transfer::code(fault), code, "{fault:?}");
        assert!(fault_text(code).len() > 3);
    }
    assert_eq!(transfer::as_known(9_016, Version::V1_0), 9_010);
    assert_eq!(transfer::as_known(9_012, Version::V1_0), 9_012);
    assert_eq!(transfer::as_known(9_016, Version::V1_1), 9_016);
}

#[test]
fn tells_a_phone_without_a_server_from_its_flash() {
    let flash = Flash::default();
    assert!(
        flash.acs().is_none(),
        "nothing is held for what is not used"
    );
    let pointer = size_of::<Option<Box<AcsMemory>>>();
    assert_eq!(pointer, size_of::<usize>());
}
