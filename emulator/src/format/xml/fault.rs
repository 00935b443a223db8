//! What can be wrong with a document.

use thiserror::Error;

use crate::event::LineReason;
use crate::limits::{FILE_BYTES_MAX, LINES_MAX, XML_ATTRIBUTES_MAX, XML_DEPTH_MAX};

/// Why a document cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct XmlFault {
    /// What is wrong.
    pub what: Broken,
    /// Where, from 1.
    pub line: u32,
}

/// What can be wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Broken {
    /// More than `FILE_BYTES_MAX`.
    #[error("file of more than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// UTF-16, by its byte order mark or its first character.
    #[error("text is UTF-16, expected UTF-8")]
    Utf16,
    /// Bytes that are not UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A character that XML cannot hold.
    #[error("character that XML does not allow")]
    Character,
    /// A document type declaration.
    #[error("document type declarations are refused")]
    DocumentType,
    /// `<`, `&` or `]]>` where none can be, or a tag, comment or instruction out of its grammar.
    #[error("markup out of XML's grammar")]
    Markup,
    /// No name where one must be.
    #[error("expected a name")]
    Name,
    /// An attribute that is not `name="value"` after a blank.
    #[error("expected an attribute as name=\"value\"")]
    Attribute,
    /// Two attributes of one name in one tag.
    #[error("attribute given twice")]
    Duplicate,
    /// A reference that is none of the five entities and no character's number.
    #[error("reference to an unknown entity or character")]
    Reference,
    /// An end tag that is not that of the element opened last.
    #[error("end tag of another element")]
    Mismatch,
    /// The file ends within a tag, a comment or an element.
    #[error("file ends too early")]
    Unfinished,
    /// No element at all.
    #[error("no root element")]
    NoRoot,
    /// Text or an element beside the root element.
    #[error("content outside the root element")]
    Outside,
    /// Nested deeper than `XML_DEPTH_MAX`.
    #[error("elements nested deeper than {XML_DEPTH_MAX}")]
    Depth,
    /// More than `LINES_MAX` elements.
    #[error("more than {LINES_MAX} elements")]
    Elements,
    /// More than `XML_ATTRIBUTES_MAX` attributes in one tag.
    #[error("more than {XML_ATTRIBUTES_MAX} attributes in one tag")]
    Attributes,
}

impl XmlFault {
    /// How the line is counted: beyond a limit, or out of the grammar.
    #[must_use]
    pub fn reason(&self) -> LineReason {
        match self.what {
            Broken::TooLarge | Broken::Depth | Broken::Elements | Broken::Attributes => {
                LineReason::OverLimit
            }
            _ => LineReason::Grammar,
        }
    }
}
