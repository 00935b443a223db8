use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::LineReason;
use crate::format::{Format, FormatOptions, Reading, read};
use crate::profile::StepId;
use crate::profile::keys::{KeyRule, ValueKind};

const OPTIONS: FormatOptions = FormatOptions {
    quoted: false,
    empty_clears: true,
    nested_boot: false,
    root_queries: false,
    seal: None,
};

/// Keys, rules and the files that a test applies.
struct Desk {
    keys: Names,
    rules: KeyRules,
}

impl Desk {
    fn new() -> Self {
        let rule = |pattern: &str, value, meaning| KeyRule {
            pattern: pattern.to_owned(),
            value,
            meaning,
        };
        let rules = vec![
            rule("k{0-4}", ValueKind::Text, Meaning::Reboot),
            rule("k{5-99}", ValueKind::Text, Meaning::Plain),
            rule("n", ValueKind::Number(0, 9), Meaning::Resource),
        ];
        Self {
            keys: Names::default(),
            rules: KeyRules::new(rules, false).unwrap(),
        }
    }

    fn vetted(&mut self, text: &str) -> Rc<Vetted> {
        let document = read(Format::KeyValue, OPTIONS, text.as_bytes(), &mut self.keys);
        Rc::new(Vetted::new(&document, &self.rules, &self.keys))
    }

    fn name(&self, key: &str) -> Name {
        self.keys.find(key).unwrap()
    }
}

fn file(number: u8) -> File {
    File::Step(StepId(number))
}

fn value<'a>(settings: &'a Settings, desk: &Desk, key: &str) -> Option<(&'a str, File, u32)> {
    let held = settings.held(desk.name(key))?;
    Some((held.value, held.file, held.line))
}

#[test]
fn takes_out_what_the_model_does_not_take() {
    let mut desk = Desk::new();
    let vetted = desk.vetted("k1=a\nnobody=b\nn=12\nbad line\nk100=c\nk2=\nn2=\n");
    let left: Vec<_> = vetted.document.settings.iter().map(|s| s.key).collect();
    assert_eq!(left, [desk.name("k1"), desk.name("k2")]);
    assert_eq!(&*vetted.document.text, "a");
    let faults: Vec<_> = vetted
        .faults
        .groups()
        .iter()
        .map(|group| (group.reason, group.count, group.first_line))
        .collect();
    let expected = [
        (LineReason::Grammar, 1, 4),
        (LineReason::UnknownKey, 2, 2),
        (LineReason::BadValue, 1, 3),
        (LineReason::IndexBeyondModel, 1, 5),
    ];
    assert_eq!(faults, expected);
    let reboot = (desk.name("k1"), Meaning::Reboot);
    assert_eq!(
        *vetted.meanings,
        [reboot, (desk.name("k2"), Meaning::Reboot)]
    );
    assert_eq!(vetted.meaning(desk.name("nobody")), Meaning::Plain);
}

#[test]
fn keeps_links_and_version_when_it_takes_settings_out() {
    let mut desk = Desk::new();
    let text = b"Image_file=\"a.bin\"\nk1=x\nnobody=y\nversion=\"7\"\nk2=z\n";
    let document = read(Format::Version, OPTIONS, text, &mut desk.keys);
    let vetted = Vetted::new(&document, &desk.rules, &desk.keys);
    let left = &vetted.document;
    assert_eq!(left.text(left.links[0].url), "a.bin");
    assert_eq!(left.version.map(|span| left.text(span)), Some("7"));
    let values: Vec<_> = left.settings.iter().map(|s| left.value(s)).collect();
    assert_eq!(values, ["x", "z"]);
    assert_eq!(left.reading, Reading::Whole);
}

#[test]
fn shares_the_document_when_nothing_is_taken_out() {
    let mut desk = Desk::new();
    let document = read(Format::KeyValue, OPTIONS, b"k1=a\nk7=b\n", &mut desk.keys);
    let document = Rc::new(document);
    let mut verdicts = Verdicts::default();
    let shared = Rc::clone(&document);
    let vetted = Vetted::judged(shared, &desk.rules, &mut verdicts, &desk.keys);
    assert!(Rc::ptr_eq(&vetted.document, &document));
}

#[test]
fn puts_later_files_on_top_and_knows_where_values_came_from() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    let common = desk.vetted("k1=common\nk5=common\n");
    let own = desk.vetted("\nk5=own\nk6=own\n");
    assert_eq!(
        settings.overlay(file(1), common),
        Applied {
            settings: 2,
            changed: 2,
            reboot: true,
            over_limit: false,
        }
    );
    assert_eq!(
        settings.overlay(file(2), own),
        Applied {
            settings: 2,
            changed: 2,
            reboot: false,
            over_limit: false,
        }
    );
    assert_eq!(value(&settings, &desk, "k1"), Some(("common", file(1), 1)));
    assert_eq!(value(&settings, &desk, "k5"), Some(("own", file(2), 2)));
    assert_eq!(settings.held(desk.name("k5")).unwrap().layer, 1);
    assert_eq!(settings.held(Name(999)), None);
}

#[test]
fn keeps_what_only_the_older_version_of_a_file_named() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    settings.overlay(file(1), desk.vetted("k1=old\nk5=kept\n"));
    settings.overlay(file(1), desk.vetted("k1=new\n"));
    assert_eq!(value(&settings, &desk, "k1"), Some(("new", file(1), 1)));
    assert_eq!(value(&settings, &desk, "k5"), Some(("kept", file(1), 2)));
    settings.overlay(file(1), desk.vetted("k5=named again\nk1=newer\n"));
    assert_eq!(settings.layers().len(), 1, "the older versions are hidden");
}

#[test]
fn applies_the_same_files_again_without_change_or_growth() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    let common = desk.vetted("k1=c\nk7=c\n");
    let own = desk.vetted("k5=o\nk7=o\n");
    settings.overlay(file(1), Rc::clone(&common));
    settings.overlay(file(2), Rc::clone(&own));
    let before = settings.clone();
    for _ in 0..40 {
        let applied = settings.overlay(file(1), Rc::clone(&common));
        assert_eq!(
            (applied.changed, applied.reboot),
            (1, false),
            "k7, for the moment"
        );
        settings.overlay(file(2), Rc::clone(&own));
    }
    assert_eq!(settings.layers().len(), 2);
    let whole_run = settings.changes_since(&before);
    assert_eq!((whole_run.settings, whole_run.changed), (3, 0));
    let again = settings.overlay(file(2), own);
    assert_eq!((again.settings, again.changed), (2, 0));
}

#[test]
fn asks_for_a_reboot_only_when_a_key_that_needs_it_changed() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    settings.overlay(file(1), desk.vetted("k1=a\nk7=a\nk2=\n"));
    let cases = [
        ("k1=a\nk7=b\n", 1, false),
        ("k1=\nk7=b\n", 1, true),
        ("k1=\nk2=\n", 0, false),
        ("k2=x\n", 1, true),
    ];
    for (text, changed, reboot) in cases {
        let applied = settings.overlay(file(1), desk.vetted(text));
        assert_eq!(
            (applied.changed, applied.reboot),
            (changed, reboot),
            "{text:?}"
        );
    }
    let applied = settings.replace(file(1), desk.vetted("k7=b\n"));
    assert_eq!(
        (applied.settings, applied.changed, applied.reboot),
        (1, 1, true),
        "k2 is gone"
    );
    assert_eq!(settings.held(desk.name("k2")), None);
}

#[test]
fn compares_with_intended_values() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    settings.overlay(file(1), desk.vetted("k1=a\nk2=b\nk3=c\nk4=\nk5=x\n"));
    let name = |key: &str| desk.name(key);
    let same = [
        (name("k1"), "a"),
        (name("k2"), "b"),
        (name("k3"), "c"),
        (name("k4"), ""),
    ];
    let result = settings.same_as(&same);
    assert!(result.is_same());
    assert_eq!((result.extra, result.first_extra), (1, Some(name("k5"))));
    assert_eq!(result.first, None);

    let absent = Name(u32::MAX);
    let other = [
        (name("k2"), "z"),
        (name("k4"), "d"),
        (name("k5"), "x"),
        (absent, "e"),
    ];
    let result = settings.same_as(&other);
    assert!(!result.is_same());
    assert_eq!((result.missing, result.different, result.extra), (2, 1, 2));
    let first = result.first.unwrap();
    assert_eq!((first.key, first.expected), (name("k2"), "z"));
    assert_eq!(
        first.held.map(|held| (held.value, held.line)),
        Some(("b", 2))
    );
    assert!(
        settings.same_as(&[(absent, "")]).is_same(),
        "nothing wanted, nothing held"
    );
}

#[test]
fn flattens_many_layers_and_keeps_their_origins() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    for number in 0..50_u8 {
        let text = format!("{}k{number}=v{number}\n", "\n".repeat(usize::from(number)));
        settings.overlay(file(number), desk.vetted(&text));
        assert!(settings.layers().len() <= LAYERS_MAX);
    }
    for number in 0..50_u8 {
        let expected = format!("v{number}");
        let held = value(&settings, &desk, &format!("k{number}"));
        assert_eq!(
            held,
            Some((expected.as_str(), file(number), u32::from(number) + 1))
        );
    }
    let applied = settings.overlay(file(60), desk.vetted("k3=new\n"));
    assert!(applied.reboot && settings.layers().len() > 1);
    let gone = settings.replace(file(1), desk.vetted("k9=v9\n"));
    assert_eq!(
        (gone.changed, gone.reboot),
        (49, true),
        "meanings survive flattening"
    );
}

#[test]
fn lets_the_oldest_layers_go_when_a_server_sends_ever_new_keys() {
    let mut settings = Settings::default();
    let mut reached = 0;
    for number in 0..6_u32 {
        let text = "v".repeat(SETTINGS_BYTES_MAX / 4);
        let setting = Setting::new(Name(number), crate::format::Span::default(), 1).unwrap();
        let document = Document {
            settings: Box::new([setting]),
            text: text.into_boxed_str(),
            ..Document::default()
        };
        let vetted = Vetted::new(
            &document,
            &KeyRules {
                rules: Vec::new(),
                keep_unknown: true,
            },
            &Names::default(),
        );
        let applied = settings.overlay(file(1), Rc::new(vetted));
        reached += u32::from(applied.over_limit);
    }
    assert_eq!((settings.layers().len(), reached), (3, 3));
    assert!(settings.held(Name(5)).is_some() && settings.held(Name(0)).is_none());
}

#[test]
fn keeps_a_typical_phone_below_its_budget() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    let common = desk.vetted(
        &(0..40)
            .map(|n| format!("k{n}=common {n}\n"))
            .collect::<String>(),
    );
    let own: String = (20..45)
        .map(|n| format!("k{n}=own value number {n}\n"))
        .collect();
    let kept = Rc::clone(&common);
    settings.overlay(file(1), common);
    settings.overlay(file(2), desk.vetted(&own));
    let bytes = settings.heap_bytes_owned();
    assert!((500..1_400).contains(&bytes), "{bytes} bytes");
    drop(kept);
    assert!(
        settings.heap_bytes_owned() > bytes + 900,
        "what nobody else holds is the phone's own"
    );
}

#[test]
fn knows_whether_anything_was_ever_applied() {
    let mut desk = Desk::new();
    let mut settings = Settings::default();
    assert!(settings.is_empty() && settings.effective().next().is_none());
    settings.overlay(file(1), desk.vetted("# nothing\n"));
    assert!(!settings.is_empty());
    settings.overlay(file(2), desk.vetted("k1=a\n"));
    settings.overlay(file(3), desk.vetted("# nothing\n"));
    assert_eq!(settings.layers().len(), 1);
}

/// What a phone is told to do, and the model of it: a map.
type Lines = Vec<(u8, String)>;
type Model = BTreeMap<Name, (String, File, u32)>;

fn any_lines() -> impl Strategy<Value = Lines> {
    prop::collection::vec((0_u8..30, "[ab]{0,1}"), 0..6)
}

fn apply_to_model(
    model: &Model,
    whole: bool,
    at: File,
    lines: &Lines,
    desk: &Desk,
) -> (Model, Applied) {
    let mut next = if whole { Model::new() } else { model.clone() };
    let mut named = BTreeMap::new();
    for (line, (key, value)) in (1..).zip(lines) {
        let key = desk.name(&format!("k{key}"));
        named.insert(key, ());
        next.insert(key, (value.clone(), at, line));
    }
    let text =
        |model: &Model, key: &Name| model.get(key).map_or(String::new(), |held| held.0.clone());
    let every = desk.keys.len();
    let changed: Vec<_> = (0..u32::try_from(every).unwrap())
        .map(Name)
        .filter(|key| text(model, key) != text(&next, key))
        .collect();
    let needs = |key: &&Name| {
        let number: u8 = desk.keys.text(**key)[1..].parse().unwrap();
        number <= 4
    };
    let applied = Applied {
        settings: u32::try_from(named.len()).unwrap(),
        changed: u32::try_from(changed.len()).unwrap(),
        reboot: changed.iter().any(|key| needs(&key)),
        over_limit: false,
    };
    (next, applied)
}

proptest! {
    #[test]
    fn behaves_as_one_map(
        steps in prop::collection::vec((0_u8..20, any_lines(), 0_u8..20), 1..40),
        intended in prop::collection::btree_map(0_u8..35, "[ab]{0,1}", 0..10),
    ) {
        let mut desk = Desk::new();
        let mut settings = Settings::default();
        let mut model = Model::new();
        for (number, lines, whole) in &steps {
            let text: String = lines.iter().map(|(k, v)| format!("k{k}={v}\n")).collect();
            let vetted = desk.vetted(&text);
            let before = settings.clone();
            let whole = *whole == 0;
            let applied = if whole {
                settings.replace(file(*number), vetted)
            } else {
                settings.overlay(file(*number), vetted)
            };
            let (next, expected) = apply_to_model(&model, whole, file(*number), lines, &desk);
            prop_assert_eq!(applied, expected);
            let since = settings.changes_since(&before);
            prop_assert_eq!((since.changed, since.reboot), (expected.changed, expected.reboot));
            model = next;
            let held: Model = settings
                .effective()
                .map(|(key, held)| (key, (held.value.to_owned(), held.file, held.line)))
                .collect();
            prop_assert_eq!(&held, &model);
            prop_assert!(settings.layers().len() <= LAYERS_MAX);
            for (key, held) in settings.effective() {
                prop_assert_eq!(settings.held(key), Some(held));
            }
        }
        let mut intended: Vec<(Name, &str)> = intended
            .iter()
            .map(|(key, value)| (desk.keys.intern(&format!("k{key}")).unwrap(), value.as_str()))
            .collect();
        intended.sort_unstable();
        let result = settings.same_as(&intended);
        let text = |key: &Name| model.get(key).map_or("", |held| held.0.as_str());
        let wrong: Vec<_> = intended.iter().filter(|(key, want)| text(key) != *want).collect();
        let missing = wrong.iter().filter(|(key, _)| text(key).is_empty()).count();
        prop_assert_eq!(result.missing as usize, missing);
        prop_assert_eq!(result.different as usize, wrong.len() - missing);
        prop_assert_eq!(result.first.map(|first| first.key), wrong.first().map(|(key, _)| *key));
        let extra = model.iter().filter(|(key, held)| {
            !held.0.is_empty() && intended.iter().all(|(known, _)| known != *key)
        });
        prop_assert_eq!(result.extra as usize, extra.count());
    }
}
