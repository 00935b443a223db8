//! What a fleet says of its server's files beyond settings, and of the user at its displays.

use std::time::Duration;

use bootstorm_emulator::format::sealed::Cipher;
use bootstorm_emulator::located::{Place, Reader, Slot, Value};
use bootstorm_emulator::operator::Operator;
use bootstorm_emulator::profile::TaskKind;

use super::super::{FILE_VERSION, Resource, Seal};
use super::{TRANSPORTS, place};

/// Digits of a key (FAN-42).
const KEY_DIGITS: usize = 64;
/// How long the user thinks, unless the scenario says otherwise (FAN-86: 20.65 s in the trace).
const THINK: Duration = Duration::from_secs(20);

/// `device_key`, `common_key` and `cipher`.
pub(super) fn seal(table: &Reader<'_>) -> Seal {
    let key = |name: &str| {
        let slot = table.may(name);
        let text = slot.text().unwrap_or_default();
        let plain = text.len() == KEY_DIGITS && text.bytes().all(|it| it.is_ascii_hexdigit());
        if !plain && slot.text().is_some() {
            // A key with a slip of the pen in it is still a secret, and stays out of messages.
            let (name, length) = (slot.name(), text.chars().count());
            let expected = "64 hexadecimal digits (FAN-42)";
            slot.fault(format!(
                "'{name}' is a text of {length} letters (expected {expected})"
            ));
            return String::new();
        }
        text.to_owned()
    };
    let cipher = table.may("cipher");
    let seal = Seal {
        device_key: key("device_key"),
        common_key: key("common_key"),
        cipher: cipher.word(&Cipher::ALL),
    };
    let keys = table.may("device_key").is_given() || table.may("common_key").is_given();
    if cipher.is_given() && !keys {
        cipher.fault("'cipher' without 'device_key' or 'common_key'");
    }
    seal
}

/// Where the first of these stands.
pub(super) fn seal_place(table: &Reader<'_>) -> Option<Place> {
    let slots = ["device_key", "common_key"].map(|key| table.may(key));
    slots.iter().find_map(place)
}

/// `file`: what phones are told behind the directory.
pub(super) fn file(table: &Reader<'_>) -> Option<String> {
    let expected = "a file name such as $mac.cfg, without '/' at its beginning";
    table.may("file").parsed(expected, |text| {
        let plain = !text.is_empty() && !text.starts_with('/') && !text.contains(char::is_control);
        plain.then(|| text.to_owned())
    })
}

/// `file_version`: the version that files say they have.
pub(super) fn file_version(table: &Reader<'_>) -> String {
    let expected = "a version of 1 to 20 characters such as 2.0002";
    let version = table.may("file_version").parsed(expected, |text| {
        let plain = (1..=20).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic());
        plain.then(|| text.to_owned())
    });
    version.unwrap_or_else(|| FILE_VERSION.to_owned())
}

/// `resources = ["phonebook", { kind = "certificate", suffix = "crt", transport = "http" }]`
pub(super) fn resources(table: &Reader<'_>) -> Vec<Resource> {
    let items = table.may("resources").list();
    let mut resources: Vec<Resource> = Vec::new();
    for item in &items {
        let Some(resource) = resource(item) else {
            continue;
        };
        if resource.kind == TaskKind::Firmware {
            item.fault("firmware is no resource here (expected 'firmware' of the fleet)");
        } else if resources.iter().any(|known| known.kind == resource.kind) {
            item.fault("the same kind of resource stands twice");
        } else {
            resources.push(resource);
        }
    }
    resources
}

fn resource(slot: &Slot<'_>) -> Option<Resource> {
    let at = Some(slot.place());
    if !matches!(slot.value(), Some(Value::Table(_))) {
        return Some(Resource {
            kind: slot.word(&TaskKind::ALL)?,
            suffix: None,
            transport: None,
            at,
        });
    }
    let table = slot.table()?;
    let suffix = table.may("suffix").text().map(str::to_owned);
    let transport = table.may("transport").word(&TRANSPORTS);
    Some(Resource {
        kind: table.need("kind").word(&TaskKind::ALL)?,
        suffix,
        transport,
        at,
    })
}

/// `[fleet.operator]`: the user at the display.
pub(super) fn operator(table: &Reader<'_>) -> Option<Operator> {
    let table = table.may("operator").table()?;
    let text = |slot: &Slot<'_>| slot.template().unwrap_or_default();
    let (file_id, user) = (table.may("file_id"), table.may("user"));
    let password = table.may("password");
    if password.is_given() && !user.is_given() {
        password.fault("'password' without 'user'");
    }
    Some(Operator {
        file_id: text(&file_id),
        user: text(&user),
        password: text(&password),
        think: table.may("think_s").duration().unwrap_or(THINK),
    })
}

/// Whether the operator would type a user name.
pub(super) fn types_credentials(table: &Reader<'_>) -> bool {
    operator(table).is_some_and(|operator| !operator.user.source().is_empty())
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::format::sealed::Cipher;
    use bootstorm_emulator::profile::TaskKind;

    use super::super::read;

    const HEAD: &str = "name = \"x\"\n[[fleet]]\nname = \"one\"\nphones = 1\nsource = \"dhcp\"\n\
                        transport = \"http\"\nlayout = \"modules\"\nprofiles.\"a/b\" = 1\n";

    // FAN-42, FAN-57, FAN-127, FAN-134
    #[test]
    fn reads_keys_resources_and_the_user() {
        let key = "0123456789abcdefABCDEF0123456789".repeat(2);
        let text = format!(
            "{HEAD}device_key = \"{key}\"\ncipher = \"cbc-prefixed\"\nfile_version = \"2.0007\"\n\
             file = \"$input.cfg\"\nfirmware_transport = \"tftp\"\n\
             resources = [\"background\", {{ kind = \"phonebook\", suffix = \"vcf\", \
             transport = \"ftp\" }}]\n[fleet.operator]\nfile_id = \"id{{index}}\"\nthink_s = 3\n"
        );
        let scenario = read("x.toml", &text).expect("a scenario");
        let fleet = &scenario.fleets[0];
        assert_eq!(
            (&fleet.seal.device_key, &*fleet.seal.common_key),
            (&key, "")
        );
        assert_eq!(fleet.seal.cipher, Some(Cipher::CbcPrefixed));
        assert_eq!(fleet.file_version, "2.0007");
        assert_eq!(fleet.file.as_deref(), Some("$input.cfg"));
        assert_eq!(fleet.firmware_transport.map(|it| it.scheme()), Some("tftp"));
        let [picture, book] = &fleet.resources[..] else {
            panic!("two resources");
        };
        assert_eq!(
            (picture.kind, &picture.suffix),
            (TaskKind::Background, &None)
        );
        assert_eq!(book.suffix.as_deref(), Some("vcf"));
        assert_eq!(book.transport.map(|it| it.scheme()), Some("ftp"));
        let operator = fleet.operator.as_ref().expect("an operator");
        assert_eq!(operator.file_id.source(), "id{index}");
        assert_eq!(operator.think.as_secs(), 3);
    }

    #[test]
    fn names_every_fault_with_its_line_and_the_nearest_word() {
        for (lines, told) in [
            (
                "device_key = \"12\"\n",
                "x.toml:9:14: 'fleet[0].device_key' is a text of 2 letters (expected 64",
            ),
            ("cipher = \"ecb\"\n", "x.toml:9:10: 'cipher' without"),
            ("cipher = \"abc\"\n", "expected one of ecb, cbc-prefixed"),
            (
                "resources = [\"phonebok\"]\n",
                "x.toml:9:14: 'fleet[0].resources[0]'",
            ),
            ("resources = [\"phonebok\"]\n", "did you mean 'phonebook'"),
            (
                "resources = [\"firmware\"]\n",
                "firmware is no resource here",
            ),
            (
                "resources = [\"mmiset\", \"mmiset\"]\n",
                "x.toml:9:24: the same kind",
            ),
            (
                "resources = [{ kind = \"mmiset\", sufix = \"z\" }]\n",
                "did you mean 'suffix'",
            ),
            (
                "file = \"/a.cfg\"\n",
                "expected a file name such as $mac.cfg",
            ),
            (
                "file_version = \"\"\n",
                "expected a version of 1 to 20 characters",
            ),
            (
                "firmware_transport = \"gopher\"\n",
                "one of tftp, ftp, http, https",
            ),
            (
                "auth = \"basic\"\ncredentials = \"prompt\"\n",
                "need 'user' in [fleet.operator]",
            ),
            (
                "[fleet.operator]\npassword = \"x\"\n",
                "'password' without 'user'",
            ),
            (
                "[fleet.operator]\nfile_ids = \"x\"\n",
                "did you mean 'file_id'",
            ),
        ] {
            let faults = read("x.toml", &format!("{HEAD}{lines}")).expect_err(lines);
            let text = faults.to_string();
            assert!(text.contains(told), "{lines}: {text}");
        }
    }
}
