//! Markup in which a text cannot become a tag: literals are written as they are, everything else
//! is escaped.

use serde::Serialize;

use super::live::Piece;
use crate::text::harmless;

/// A document, or a piece of one, while it is being written.
#[derive(Debug, Default)]
pub(super) struct Markup {
    out: String,
}

impl Markup {
    /// Markup of the program's own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// A text from anywhere. What a reader would not see, or would see elsewhere, is spelled out.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for letter in harmless(text).chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                letter => self.out.push(letter),
            }
        }
        self
    }

    /// A part that was written before.
    pub(super) fn piece(&mut self, piece: &Piece) -> &mut Self {
        self.out.push_str(&piece.0);
        self
    }

    /// A sentence in which a code stands between backticks.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        let balanced = text.matches('`').count().is_multiple_of(2);
        if !balanced {
            return self.text(text);
        }
        for (at, part) in text.split('`').enumerate() {
            if at % 2 == 1 {
                self.element("code", "", part);
            } else {
                self.text(part);
            }
        }
        self
    }

    /// An opening tag.
    pub(super) fn open(
        &mut self,
        tag: &'static str,
        attributes: &[(&'static str, &str)],
    ) -> &mut Self {
        self.raw("<").raw(tag);
        for (name, value) in attributes {
            if !value.is_empty() {
                self.raw(" ").raw(name).raw("=\"").text(value).raw("\"");
            }
        }
        self.raw(">")
    }

    /// A closing tag.
    pub(super) fn close(&mut self, tag: &'static str) -> &mut Self {
        self.raw("</").raw(tag).raw(">")
    }

    /// A whole element with a text in it.
    pub(super) fn element(&mut self, tag: &'static str, class: &str, text: &str) -> &mut Self {
        self.open(tag, &[("class", class)]).text(text).close(tag)
    }

    /// A square in the colour of a class, for keys of charts.
    pub(super) fn swatch(&mut self, class: &str) -> &mut Self {
        self.raw("<svg viewBox=\"0 0 10 10\" aria-hidden=\"true\">");
        let square = [
            ("class", class),
            ("width", "10"),
            ("height", "10"),
            ("rx", "2.5"),
        ];
        self.open("rect", &square).raw("</rect></svg>")
    }

    /// Data for the script.
    pub(super) fn data(&mut self, id: &'static str, value: &impl Serialize) -> &mut Self {
        self.open("script", &[("type", "application/json"), ("id", id)]);
        let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
        for letter in text.chars() {
            match letter {
                // A script ends at "</script", whatever its type, and begins anew at "<!--".
                '<' => self.out.push_str("\\u003c"),
                '>' => self.out.push_str("\\u003e"),
                '&' => self.out.push_str("\\u0026"),
                letter => self.out.push(letter),
            }
        }
        self.close("script")
    }

    /// What was written.
    pub(super) fn into_text(self) -> String {
        self.out
    }
}

/// Bytes that a text takes at most once it is escaped, as markup or as data.
pub(super) fn weight(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'&' | b'<' | b'>' | b'"' | b'\'' | b'\\' | 0..=31 | 127 => 6,
        128.. => 4,
        _ => 1,
    };
    text.bytes().map(byte).sum()
}

/// Base64 with padding (RFC 4648 §4).
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text() {
        let mut markup = Markup::default();
        markup.open("a", &[("title", "\"x' onclick=\"a"), ("class", "")]);
        markup.text("</a><script>\u{202e}&amp;\0").close("a");
        assert_eq!(
            markup.into_text(),
            "<a title=\"&quot;x&#39; onclick=&quot;a\">&lt;/a&gt;&lt;script&gt;\\u{202e}&amp;amp;\
             \\u{0}</a>"
        );
        let mut markup = Markup::default();
        markup.prose("at `<mac>.cfg`: none").prose(" one `");
        assert_eq!(
            markup.into_text(),
            "at <code>&lt;mac&gt;.cfg</code>: none one `"
        );
    }

    #[test]
    fn data_cannot_end_its_script() {
        let mut markup = Markup::default();
        markup.data("x", &["</script><!--<script>&"]);
        let text = markup.into_text();
        let inside = text
            .strip_prefix("<script type=\"application/json\" id=\"x\">")
            .and_then(|text| text.strip_suffix("</script>"))
            .unwrap();
        assert!(!inside.contains(['<', '>', '&']), "{inside}");
        let back: Vec<String> = serde_json::from_str(inside).unwrap();
        assert_eq!(back, ["</script><!--<script>&"]);
    }

    #[test]
    fn base64_as_the_standard_shows_it() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let coded = texts.map(|text| base64(text.as_bytes()));
        let expected = [
            "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy",
        ];
        assert_eq!(coded, expected);
    }
}
