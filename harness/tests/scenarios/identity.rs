//! MAC ranges and inventories, from the scenario to what phones hold.

use std::fs;

use super::*;

#[test]
fn phones_of_a_range_have_files_of_their_own_names() {
    let text = desks(3, "", "").replace("root =", "macs = \"00:21:f2:77:00:00\"\nroot =");
    let ended = boot(read(&text));
    assert_eq!(
        count(&ended, Outcome::Provisioned),
        3,
        "{}",
        transcript(&ended)
    );
    assert_eq!(ended.report.phones()[2].mac.to_string(), "0021f2770002");
    assert!(transcript(&ended).contains("0021f2770001"));
}

#[test]
fn an_inventory_says_what_each_phone_must_hold() {
    let directory = tempfile::tempdir().expect("a directory");
    let csv = "mac,profile,account.1.label,extension\n0021f2000101,flyingvoice/fip10,Ann,17\n\
               0021f2000107,flyingvoice/fip16,\"Bob, 2nd\",18\n";
    fs::write(directory.path().join("phones.csv"), csv).expect("writable");
    let text = desks(
        1,
        "",
        "\"account.1.user_name\" = \"u{inventory:extension}\"\n",
    )
    .replace("phones = 1", "inventory = \"phones.csv\"")
    .replace("\"account.1.label\" = \"Desk {index}\"\n", "")
    .replace("[fleet.profiles]\n\"flyingvoice/fip13g\" = 1\n", "");
    let name = directory.path().join("x.toml").display().to_string();
    let scenario = scenario::read(&name, &text).unwrap_or_else(|faults| panic!("{faults}"));
    let ended = boot(scenario);
    assert_eq!(
        count(&ended, Outcome::Provisioned),
        2,
        "{}",
        transcript(&ended)
    );
    let phones = ended.report.phones();
    assert_eq!(phones[1].mac.to_string(), "0021f2000107");
    assert_eq!(&*phones[1].profile, "flyingvoice/fip16");
}
