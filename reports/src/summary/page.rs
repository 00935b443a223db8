//! A page that does not grow beyond its limit.

use super::BYTES_MAX;
use super::escape::longest_run;
use crate::text::number;

/// Kept free for the lines that say what was left out: one for each table.
const RESERVE: usize = 1 << 10;

/// Markdown so far.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// What was written.
    pub(super) fn text(self) -> String {
        self.text
    }

    /// One line.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A table under a heading, `true` = figures to the right; nothing when there are no rows.
    pub(super) fn table(&mut self, heading: &str, titles: &[(&str, bool)], rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let head: Vec<&str> = titles.iter().map(|(title, _)| *title).collect();
        let rule = titles
            .iter()
            .map(|(_, right)| if *right { "---:" } else { "---" });
        let head = format!(
            "\n### {heading}\n\n| {} |\n| {} |\n",
            head.join(" | "),
            rule.collect::<Vec<_>>().join(" | ")
        );
        let rows: Vec<String> = rows
            .iter()
            .map(|row| format!("| {} |\n", row.join(" | ")))
            .collect();
        if rows
            .first()
            .is_none_or(|first| !self.has_room(head.len() + first.len()))
        {
            let count = number::count(rows.len() as u64);
            self.line(&format!(
                "\n{heading}: {count}, left out, report.json has them"
            ));
            return;
        }
        self.text.push_str(&head);
        let mut left = rows.len();
        for row in rows {
            if !self.has_room(row.len()) {
                break;
            }
            self.text.push_str(&row);
            left -= 1;
        }
        if left > 0 {
            let left = number::count(left as u64);
            self.line(&format!("\nand {left} more, report.json has them"));
        }
    }

    /// Lines as they are, folded under a title; nothing when there is no room.
    pub(super) fn folded(&mut self, title: &str, lines: &[String]) {
        let longest = lines.iter().map(|line| longest_run(line)).max();
        let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
        // Markdown within the tag's line is not read, so the title stands below it.
        let text = format!(
            "\n<details><summary>exchange</summary>\n\n{title}\n\n\
             {fence}text\n{}\n{fence}\n\n</details>\n",
            lines.join("\n")
        );
        if self.has_room(text.len()) {
            self.text.push_str(&text);
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.text.len() + bytes + RESERVE <= BYTES_MAX
    }
}
