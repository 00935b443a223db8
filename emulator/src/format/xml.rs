//! XML as phones read it: a pull reader that borrows, counts lines, and refuses what a small
//! device must not follow: document type declarations (so there are no entities of its own),
//! depth beyond `XML_DEPTH_MAX`, and more than `LINES_MAX` elements.
