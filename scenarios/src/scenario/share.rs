//! What fleets have in common, written once: a fleet with `like = "name"` is laid over
//! `[template.name]` as a model's profile is laid over its vendor's. Tables are merged key by key,
//! the template's keys first; everything else of the fleet counts.

use bootstorm_emulator::located::{Entry, Log, Node, Reader, Value, did_you_mean, nearest};

const TEMPLATES: &str = "template";
const FLEETS: &str = "fleet";
const LIKE: &str = "like";

/// A scenario whose fleets are whole, and which has no templates any more.
pub(super) fn shared(root: Node, log: &Log) -> Node {
    let span = root.span.clone();
    let Value::Table(mut entries) = root.value else {
        return root;
    };
    let templates: Vec<Entry> = match entries.iter().position(|entry| entry.key == TEMPLATES) {
        Some(at) => entries.remove(at).node.entries().to_vec(),
        None => Vec::new(),
    };
    let mut used = Vec::new();
    for entry in entries.iter_mut().filter(|entry| entry.key == FLEETS) {
        let Value::List(fleets) = &mut entry.node.value else {
            continue;
        };
        for fleet in fleets {
            let place = fleet.span.clone();
            let bare = Node {
                value: Value::Switch(false),
                span: place,
            };
            let own = std::mem::replace(fleet, bare);
            *fleet = laid_over(own, &templates, &mut used, log);
        }
    }
    for template in templates.iter().filter(|known| !used.contains(&known.key)) {
        let message = format!("no fleet is like template '{}'", template.key);
        fault(&template.node, log, message);
    }
    Node {
        value: Value::Table(entries),
        span,
    }
}

fn laid_over(fleet: Node, templates: &[Entry], used: &mut Vec<String>, log: &Log) -> Node {
    let span = fleet.span.clone();
    let Value::Table(mut own) = fleet.value else {
        return fleet;
    };
    let Some(at) = own.iter().position(|entry| entry.key == LIKE) else {
        return Node {
            value: Value::Table(own),
            span,
        };
    };
    let like = own.remove(at).node;
    let fleet = Node {
        value: Value::Table(own),
        span,
    };
    let wanted = like.text().unwrap_or_default();
    let Some(template) = templates.iter().find(|known| known.key == wanted) else {
        let known = templates.iter().map(|known| known.key.as_str());
        let hint = did_you_mean(nearest(wanted, known));
        let message = format!("there is no template called '{wanted}'{hint}");
        fault(&like, log, message);
        return fleet;
    };
    if !used.contains(&template.key) {
        used.push(template.key.clone());
    }
    fleet.inherit(template.node.clone())
}

/// Notes a fault at a node's place.
fn fault(node: &Node, log: &Log, message: String) {
    let holder = Node {
        value: Value::Table(Vec::new()),
        span: node.span.clone(),
    };
    Reader::new(&holder, log).fault(message);
}

#[cfg(test)]
mod tests {
    use super::super::read;

    const HEAD: &str = "name = \"x\"\n[template.desk]\nlayout = \"flat\"\ntransport = \"tftp\"\n\
                        source = \"dhcp\"\nprofiles.\"a/b\" = 1\n[template.desk.own]\na = \"1\"\n\
                        b = \"2\"\n";

    #[test]
    fn a_fleet_has_what_its_template_has_and_what_it_says_itself() {
        let text = format!(
            "{HEAD}[[fleet]]\nname = \"one\"\nlike = \"desk\"\nphones = 1\ntransport = \"ftp\"\n\
             [fleet.own]\nb = \"3\"\nc = \"4\"\n"
        );
        let scenario = read("x.toml", &text).expect("a scenario");
        let fleet = &scenario.fleets[0];
        assert_eq!(fleet.layout, "flat");
        assert_eq!(fleet.transport.scheme(), "ftp");
        let own = fleet.own.iter();
        let own: Vec<_> = own
            .map(|(key, value)| (key.as_str(), value.source()))
            .collect();
        assert_eq!(own, [("a", "1"), ("b", "3"), ("c", "4")]);
    }

    #[test]
    fn names_a_template_that_is_not_there_and_one_that_nobody_uses() {
        let fleet = "[[fleet]]\nname = \"one\"\nlike = \"dest\"\nphones = 1\ntransport = \"tftp\"\n\
                     layout = \"flat\"\nsource = \"dhcp\"\nprofiles.\"a/b\" = 1\n";
        let faults = read("x.toml", &format!("{HEAD}{fleet}")).expect_err("faults");
        let text = faults.to_string();
        let expected = "x.toml:12:8: there is no template called 'dest' (did you mean 'desk'?)";
        assert!(text.contains(expected), "{text}");
        let expected = "no fleet is like template 'desk'";
        assert!(text.contains(expected), "{text}");
    }
}
