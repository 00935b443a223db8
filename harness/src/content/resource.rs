//! Files that settings name besides firmware (FAN-127 … FAN-135): small, valid, always the same.

use std::fmt::Write as _;

use bootstorm_emulator::profile::{CertificateForm, TaskKind};

use super::certificate;

/// Entries of a phone book, and rows of tables.
const ROWS: u32 = 20;
/// Pixels of a picture, across and down.
const PICTURE: (u32, u32) = (64, 48);

/// The bytes of a resource at this path.
pub(super) fn bytes(kind: TaskKind, path: &str) -> Vec<u8> {
    let suffix = path.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    match (kind, suffix) {
        (TaskKind::Phonebook, "vcf") => cards(),
        (TaskKind::Phonebook, "csv") => table("name,work,mobile,other,group", |row| {
            format!("\"Desk {row}\",{},,,", 200 + row)
        }),
        (TaskKind::Phonebook, _) => phonebook(),
        (TaskKind::Certificate, "bin") => certificate::authority(path, CertificateForm::Der),
        (TaskKind::Certificate, "xml") => b"<?xml version=\"1.0\"?>\n<etc/>\n".to_vec(),
        (TaskKind::Certificate, "ovpn") => b"client\ndev tun\nnobind\n".to_vec(),
        (TaskKind::Certificate, _) => certificate::authority(path, CertificateForm::Pem),
        (TaskKind::Background, _) => picture(),
        (TaskKind::DialRules, _) => table("number,destination,port,alias,suffix,length", |row| {
            format!("{row}xxx,0.0.0.0,5060,all:{row},,4")
        }),
        (TaskKind::AccessList, _) => table("name,department,position,id,number,type", |row| {
            format!("\"Guest {row}\",,,{:010},{},0", 1_000 + row, 300 + row)
        }),
        (TaskKind::Mmiset | TaskKind::Firmware, _) => compressed(path),
    }
}

fn phonebook() -> Vec<u8> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<phonebook>\n");
    for row in 1..=ROWS {
        let number = 200 + row;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  <entry><name>Desk {row}</name><number>{number}</number></entry>"
        );
    }
    text.push_str("</phonebook>\n");
    text.into_bytes()
}

/// vCard 3.0 (RFC 2426).
fn cards() -> Vec<u8> {
    let mut text = String::new();
    for row in 1..=ROWS {
        let number = 200 + row;
        let _ = write!(
            text,
            "BEGIN:VCARD\r\nVERSION:3.0\r\nN:;Desk {row};;;\r\nFN:Desk {row}\r\n\
             TEL;TYPE=WORK:{number}\r\nEND:VCARD\r\n"
        );
    }
    text.into_bytes()
}

fn table(head: &str, row: impl Fn(u32) -> String) -> Vec<u8> {
    let rows = (1..=ROWS).map(|at| format!("{}\r\n", row(at)));
    let rows: String = rows.collect();
    format!("{head}\r\n{rows}").into_bytes()
}

/// A Windows bitmap: file header, BITMAPINFOHEADER, 24 bits a pixel from the lowest row up.
fn picture() -> Vec<u8> {
    const HEADERS: u32 = 14 + 40;
    let (width, height) = PICTURE;
    // Rows are filled up to whole words of four bytes.
    let row = (3 * width).next_multiple_of(4);
    let pixels = row * height;
    let mut out = b"BM".to_vec();
    for word in [HEADERS + pixels, 0, HEADERS, 40, width, height] {
        out.extend(word.to_le_bytes());
    }
    for half in [1_u16, 24] {
        out.extend(half.to_le_bytes());
    }
    // Not compressed; 72 dots an inch; all colours count.
    for word in [0, pixels, 2_835, 2_835, 0, 0] {
        out.extend(word.to_le_bytes());
    }
    for y in 0..height {
        for x in 0..width {
            let shade = |part: u32, whole: u32| u8::try_from(part * 255 / whole).unwrap_or(u8::MAX);
            out.extend([shade(y, height), shade(x, width), 0x40]);
        }
        out.extend((3 * width..row).map(|_| 0));
    }
    out
}

/// What begins like the output of `compress`, then goes on as its name says.
fn compressed(path: &str) -> Vec<u8> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut out = b"\x1f\x9d\x90".to_vec();
    while out.len() < 1_024 {
        let turn = (out.len() % 251) as u8;
        out.extend(name.bytes().map(|byte| byte ^ turn));
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(bytes: &[u8], at: usize) -> u32 {
        let word = bytes[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(word)
    }

    // FAN-130
    #[test]
    fn a_picture_says_of_itself_what_it_is() {
        let picture = bytes(TaskKind::Background, "x/background.bmp");
        assert_eq!(&picture[..2], b"BM");
        assert_eq!(word(&picture, 2) as usize, picture.len());
        assert_eq!(word(&picture, 10), 54);
        assert_eq!((word(&picture, 18), word(&picture, 22)), PICTURE);
        assert_eq!(word(&picture, 34) as usize, picture.len() - 54);
    }

    // FAN-127
    #[test]
    fn a_phone_book_is_of_the_kind_that_its_suffix_says() {
        let text = |path| String::from_utf8(bytes(TaskKind::Phonebook, path)).expect("text");
        assert!(text("a.xml").starts_with("<?xml"));
        assert_eq!(
            text("a.vcf").matches("END:VCARD\r\n").count(),
            ROWS as usize
        );
        assert_eq!(text("a.csv").lines().count(), 1 + ROWS as usize);
    }

    // FAN-128, FAN-132, FAN-133
    #[test]
    fn no_resource_is_empty_and_each_repeats_itself() {
        for (kind, word) in TaskKind::ALL {
            for suffix in ["z", "csv", "pem", "crt", "bin", "xml", "ovpn", "key"] {
                let path = format!("dir/{word}.{suffix}");
                assert!(!bytes(kind, &path).is_empty(), "{path}");
                assert_eq!(bytes(kind, &path), bytes(kind, &path), "{path}");
            }
        }
    }
}
