//! The page of a handset beside its virtual twin.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::markup::Markup;
use super::{Figure, Opening, banner, figures, head, top};
use crate::twin::{Comparison, Difference, Line, Row, time};

/// Writes the page.
///
/// # Errors
/// Those of `out`.
pub fn write(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Markup::default();
    let title = format!("{} · twin · bootstorm", comparison.title);
    head(&title, "", "", &mut page);
    page.raw("<body><a class=\"skip\" href=\"#main\">Skip to the ladders</a><header>");
    top(&comparison.heading(), &mut page);
    let word = match comparison.counts() {
        (0, 0) => "Alike",
        (0, _) => "No difference with a clause",
        _ => "Different",
    };
    let opening = Opening::Compared(comparison.class(), word);
    banner(opening, &comparison.verdict(), &mut page);
    figures(&told_figures(comparison), &mut page);
    page.raw("</header><main id=\"main\">");
    ladders(comparison, &mut page);
    differences(comparison, &mut page);
    if !comparison.notes.is_empty() {
        section("notes", "Notes", "what is to be known besides", &mut page);
        page.raw("<ul>");
        for note in &comparison.notes {
            page.element("li", "", note);
        }
        page.raw("</ul></section>");
    }
    page.raw("</main><footer><p>Written by bootstorm ")
        .text(&comparison.version);
    page.raw(" · the same for programs is in twin.json</p></footer></body></html>\n");
    out.write_all(page.into_text().as_bytes())
}

fn told_figures(comparison: &Comparison) -> Vec<Figure> {
    let (cited, other) = comparison.counts();
    let count = |wanted: fn(&Row) -> bool| comparison.rows.iter().filter(|row| wanted(row)).count();
    let alike = count(|row| row.differences.is_empty());
    let (twin, handset) = (
        count(|row| row.twin.is_some()),
        count(|row| row.handset.is_some()),
    );
    let figure = |name, value: usize, under: &str| Figure {
        name,
        value: value.to_string(),
        of: String::new(),
        under: under.to_owned(),
    };
    vec![
        Figure {
            of: format!("of {}", comparison.rows.len()),
            ..figure("Alike", alike, "messages")
        },
        figure(
            "Differences with a clause",
            cited,
            "the vendor's document speaks of them",
        ),
        figure(
            "Other differences",
            other,
            "profile and handset differ there",
        ),
        figure("The twin's", twin, "messages"),
        figure("The handset's", handset, "messages"),
    ]
}

fn section(id: &'static str, title: &'static str, says: &'static str, page: &mut Markup) {
    page.open("section", &[("id", id)]);
    page.raw("<div class=\"head\">").element("h2", "", title);
    page.element("p", "", says).raw("</div>");
}

fn ladders(comparison: &Comparison, page: &mut Markup) {
    let says = "the same server, message by message; → is the phone's";
    section("ladders", "Two ladders", says, page);
    page.raw("<div class=\"scroll\"><table class=\"twin\"><thead><tr>");
    page.raw("<th scope=\"col\">virtual twin</th><th scope=\"col\">handset</th>");
    page.raw("</tr></thead><tbody>");
    for row in &comparison.rows {
        page.open("tr", &[("class", class(row))]);
        cell(row.twin.as_ref(), page);
        cell(row.handset.as_ref(), page);
        page.raw("</tr>");
        if !row.differences.is_empty() {
            page.raw("<tr class=\"why\"><td colspan=\"2\"><ul>");
            for difference in &row.differences {
                page.raw("<li>");
                told(difference, page);
                page.raw("</li>");
            }
            page.raw("</ul></td></tr>");
        }
    }
    page.raw("</tbody></table></div></section>");
}

/// How a row is marked.
fn class(row: &Row) -> &'static str {
    match row.differences.as_slice() {
        [] => "",
        some if some.iter().any(|it| !it.clauses.is_empty()) => "cited",
        _ => "differs",
    }
}

fn cell(line: Option<&Line>, page: &mut Markup) {
    let Some(line) = line else {
        page.raw("<td class=\"none\">—</td>");
        return;
    };
    let class = if line.sent { "sent" } else { "got" };
    page.open("td", &[("class", class)]);
    page.element("span", "time", &time(line));
    page.raw(if line.sent { " → " } else { " ← " });
    page.element("span", "what", &line.text).raw("</td>");
}

fn told(difference: &Difference, page: &mut Markup) {
    page.element("b", "", difference.aspect.word()).raw(" ");
    page.element("code", "", &difference.what);
    let show = |word: &'static str, value: &str, page: &mut Markup| {
        page.raw(word);
        match value {
            "" => page.element("i", "", "none"),
            value => page.element("code", "", value),
        };
    };
    if !(difference.twin.is_empty() && difference.handset.is_empty()) {
        show(": twin ", &difference.twin, page);
        show(", handset ", &difference.handset, page);
    }
    page.raw(" · ");
    if difference.clauses.is_empty() {
        page.element("span", "law", &difference.law());
    }
    for clause in &difference.clauses {
        page.open(
            "a",
            &[("class", "law"), ("href", &format!("#{}", clause.id))],
        );
        page.text(&clause.id).raw("</a> ");
    }
}

/// Every clause that is cited, with what it says and how often.
fn differences(comparison: &Comparison, page: &mut Markup) {
    let mut cited: BTreeMap<&str, (&str, u32)> = BTreeMap::new();
    for clause in comparison.differences().flat_map(|it| &it.clauses) {
        let held = cited.entry(&clause.id).or_insert((&clause.says, 0));
        held.1 += 1;
    }
    if cited.is_empty() {
        return;
    }
    section("clauses", "Clauses", "what the differences are about", page);
    page.raw("<dl>");
    for (id, (says, times)) in cited {
        page.open("dt", &[("id", id)]);
        page.text(id).raw("</dt><dd>").prose(says);
        if times > 1 {
            page.text(&format!(" ({times} differences)"));
        }
        page.raw("</dd>");
    }
    page.raw("</dl></section>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_cited_difference_does_not_look_like_a_failure() {
        let opening = |comparison: &Comparison| {
            let mut out = Vec::new();
            write(comparison, &mut out).expect("memory");
            let page = String::from_utf8(out).expect("text");
            let class = page
                .split("<div class=\"verdict ")
                .nth(1)
                .expect("a banner");
            let word = page.split("<p class=\"class\">").nth(1).expect("a word");
            let first = |text: &str, end| text.split(end).next().map(str::to_owned);
            (
                first(class, '"').expect("one"),
                first(word, '<').expect("one"),
            )
        };
        let told = |class: &str, word: &str| (class.to_owned(), word.to_owned());
        let mut comparison = crate::twin::tests::sample();
        assert_eq!(opening(&comparison), told("subject_failed", "Different"));
        comparison.rows.remove(0);
        let uncited = told("met", "No difference with a clause");
        assert_eq!(opening(&comparison), uncited);
        comparison.rows.pop();
        assert_eq!(opening(&comparison), told("met", "Alike"));
    }

    #[test]
    fn the_page_has_every_message_and_nothing_of_them_becomes_markup() {
        let mut out = Vec::new();
        write(&crate::twin::tests::sample(), &mut out).expect("memory");
        let page = String::from_utf8(out).expect("text");
        assert!(page.contains("http.get /&lt;script&gt;alert(1)"), "{page}");
        assert!(page.contains("<dt id=\"FLY-71\">"), "{page}");
        assert!(page.contains("profile and handset differ here"), "{page}");
        for outside in ["http://", "https://", "src=", "<script"] {
            let found = page.replace("http.get", "").contains(outside);
            assert!(!found, "{outside} leads outside");
        }
    }
}
