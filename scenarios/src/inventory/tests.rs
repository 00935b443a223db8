use proptest::prelude::*;

use super::*;

fn faults(text: &str) -> String {
    read("p.csv", text).expect_err(text).to_string()
}

#[test]
fn reads_phones_with_profiles_and_values() {
    let text = "\u{feff}profile,mac,ext,\"a \"\"b\"\"\"\r\nx/y,0021F2000001,12,\"one, two\"\r\n\r\n\
                ,00-21-f2-00-00-02,,\r\n";
    let inventory = read("p.csv", text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(inventory.columns(), ["ext", "a \"b\""]);
    let [one, two] = inventory.rows() else {
        panic!("{:?}", inventory.rows());
    };
    assert_eq!(one.profile.as_deref(), Some("x/y"));
    assert_eq!(inventory.value(one, "a \"b\""), Some("one, two"));
    assert_eq!(
        (two.profile.as_deref(), inventory.value(two, "ext")),
        (None, Some(""))
    );
    assert_eq!(inventory.value(two, "no"), None);
    assert_eq!(inventory.place_of(two.mac), Some(1));
    assert_eq!(inventory.place(two).to_string(), "p.csv:4:1");
}

#[test]
fn names_every_fault_at_once_with_line_and_column() {
    let text = "mac,a,a,\n0021f2000001,1,2,3\n0021f2000001,1,2,3\nxx,1,2,3\n0021f2000002,1\n\
                0121f2000002,1,2,3\n0021f2000003,\"é\"x,2,3\n0021f2000004,é\"x,2,3\n\
                0021f2000005,\"a\nb\",2,3\n0021f2000006,\"a,2,3\n";
    let told = faults(text);
    let expected = [
        "p.csv:1:7: a second column is called 'a'",
        "p.csv:1:9: column without a name",
        "p.csv:3:1: 0021f2000001 stands in line 2 too",
        "p.csv:4:1: 'xx' is no MAC address (expected one like 00:21:f2:00:10:00)",
        "p.csv:5:1: line has 2 cells (expected 4, as many as columns)",
        "p.csv:6:1: 0121f2000002 is the address of a group, not of a phone",
        "p.csv:7:17: text behind the quote that ends a cell",
        "p.csv:8:15: a quote within a cell that does not begin with one",
        "p.csv:9:14: cell has a line break or another control character",
        "p.csv:11:1: line has 2 cells (expected 4, as many as columns)",
        "p.csv:11:14: a quote without its end",
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn says_what_is_missing() {
    assert!(faults("").contains("no line with the columns"));
    assert!(faults("mac,a\n").contains("no phone below"));
    let told = faults("amc,a\n1,2\n");
    assert_eq!(told, "p.csv:1:1: no column is called 'mac' (is it 'amc'?)");
    assert!(faults("mac,a{b}\n0021f2000001,\n").contains("brace"));
}

#[test]
fn refuses_what_is_beyond_its_limits() {
    let wide = vec!["x"; COLUMNS_MAX + 1].join(",");
    let wide = faults(&format!("mac,{wide}\n"));
    assert!(wide.contains("more than 256 columns"), "{wide}");
    let long = "x".repeat(CELL_BYTES_MAX + 1);
    let long = faults(&format!("mac,a\n0021f2000001,{long}\n"));
    assert_eq!(long, "p.csv:2:14: cell is longer than 4096 bytes");
}

proptest! {
    /// Whatever a text is, the reader ends, and what an independent one takes it for it does too.
    #[test]
    fn agrees_with_an_independent_reader(text in "[a-c\",\r\né ]{0,60}") {
        let mut scanner = Scanner::new(&text);
        let mut cells = Vec::new();
        let mut lines = Vec::new();
        let mut sound = true;
        while scanner.line(&mut cells) {
            sound &= cells.iter().all(|cell| cell.fault.is_none());
            lines.push(cells.iter().map(|cell| cell.text.to_string()).collect::<Vec<_>>());
        }
        // A lone carriage return ends a line there, and is a control character here.
        let lone = text.replace("\r\n", "").contains('\r');
        if sound && !lone {
            let mut theirs = csv::ReaderBuilder::new();
            let mut theirs = theirs.has_headers(false).flexible(true).from_reader(text.as_bytes());
            let theirs: Vec<Vec<String>> = theirs
                .records()
                .map(|record| record.unwrap().iter().map(str::to_owned).collect())
                .collect();
            prop_assert_eq!(lines, theirs);
        }
    }
}
