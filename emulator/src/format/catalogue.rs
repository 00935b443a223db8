//! The catalogue family: `provisioning` (categories, redirect steps, and in version 1.1 everything
//! in one file), lists of versions (`firmware`, `nvm`), `scenario` (steps) and `settings`
//! (`param name value`), told apart by the root (GIG-17 … GIG-50).

use super::{Document, Reading, Scratch, Span};
use crate::names::Names;

/// What such a document holds besides settings. Spans point into `Document::text`; an attribute
/// that is not there is an empty span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    /// The root element.
    pub root: Root,
    /// `version`: a form of the file, or a UVC (GIG-22).
    pub version: Span,
    /// `productID` (GIG-23).
    pub product: Span,
    /// `macAddress` (GIG-24).
    pub mac: Span,
    /// Categories, files and steps, in file order.
    pub items: Box<[Item]>,
}

/// The root element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `provisioning`
    Provisioning,
    /// `firmware`
    Firmware,
    /// `nvm`
    Nvm,
    /// `scenario`
    Scenario,
    /// `settings`
    Settings,
}

/// Something that a catalogue names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// `url`, with blanks and line breaks taken out (GIG-20).
    pub url: Span,
    /// `version` of a file.
    pub version: Span,
    /// `flags` of a step.
    pub flags: Span,
    /// Line, from 1.
    pub line: u32,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// `category type="firmware|nvm|custom"`.
    Category(Role),
    /// `file` in a list of this role; also inside a version 1.1 file.
    File(Role),
    /// `step type="certificate"`.
    Certificate,
    /// `step type="Redirect"`.
    Redirect,
    /// A category, file or step of a kind that is not known.
    Other,
}

/// What a category is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Firmware images.
    Firmware,
    /// Settings.
    Nvm,
    /// Certificates and other steps.
    Custom,
}

/// Reads a document of the family.
pub(super) fn read(_bytes: &[u8], _keys: &mut Names, _scratch: &mut Scratch) -> Document {
    Document {
        reading: Reading::Foreign,
        ..Document::default()
    }
}
