//! Reading envelopes.

mod methods;

use std::borrow::Cow;

use super::{ENVELOPE, Envelope, Kind, Message, SoapFault, Text, Version};
use crate::format::xml::{Reader, Token, XmlFault};
use crate::limits::{PARAMETERS_MAX, SOAP_BYTES_MAX};

/// Namespace declarations in force at one place; more are no message that a server writes.
const BINDINGS_MAX: usize = 64;

/// Reads one envelope. Of several methods in one body the first counts (`MaxEnvelopes` is 1).
///
/// # Errors
/// Bytes that are no SOAP 1.1 envelope with a CWMP message, or more than `SOAP_BYTES_MAX`.
pub fn read(bytes: &[u8]) -> Result<Envelope<'_>, SoapFault> {
    if bytes.len() > SOAP_BYTES_MAX {
        return Err(SoapFault::TooLarge);
    }
    let mut cursor = Cursor {
        reader: Reader::new(bytes),
        bindings: Vec::with_capacity(8),
        empty: false,
        version: None,
        items: 0,
    };
    match cursor.envelope() {
        Ok(envelope) => Ok(envelope),
        Err(Stop::Over(fault)) => Err(fault),
        Err(Stop::Bad | Stop::TooMany) => Err(SoapFault::NotSoap("header that cannot be read")),
    }
}

/// Why reading stops.
enum Stop {
    /// The whole message is unusable.
    Over(SoapFault),
    /// The method's arguments are.
    Bad,
    /// They are more than `PARAMETERS_MAX`.
    TooMany,
}

impl From<SoapFault> for Stop {
    fn from(fault: SoapFault) -> Self {
        Self::Over(fault)
    }
}

impl From<XmlFault> for Stop {
    fn from(fault: XmlFault) -> Self {
        Self::Over(fault.into())
    }
}

type Read<T> = Result<T, Stop>;

/// What a namespace is to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Space {
    Envelope,
    Cwmp(Version),
    Other,
}

/// The start of an element.
#[derive(Debug, Clone, Copy)]
struct Element<'a> {
    space: Space,
    local: &'a str,
}

/// Walks over elements, knows what their prefixes stand for.
struct Cursor<'a> {
    reader: Reader<'a>,
    /// Depth, prefix and namespace.
    bindings: Vec<(usize, &'a str, Space)>,
    /// The element opened last has no content.
    empty: bool,
    /// That of the last CWMP name.
    version: Option<Version>,
    /// Entries of all arrays so far.
    items: usize,
}

impl<'a> Cursor<'a> {
    fn envelope(&mut self) -> Read<Envelope<'a>> {
        let not = |what| Err(SoapFault::NotSoap(what).into());
        let root = match self.reader.next()? {
            Some(Token::Open { name, empty }) => self.opened(name, empty)?,
            _ => return not("no root element"),
        };
        if root.local != "Envelope" || root.space != Space::Envelope {
            return not("root element is no SOAP 1.1 envelope");
        }
        let (mut id, mut hold_requests, mut message) = (None, false, None);
        while let Some(part) = self.child()? {
            match (part.space, part.local) {
                (Space::Envelope, "Header") if message.is_none() => {
                    while let Some(field) = self.child()? {
                        match (field.space, field.local) {
                            (Space::Cwmp(_), "ID") => id = Some(self.text()?),
                            (Space::Cwmp(_), "HoldRequests" | "NoMoreRequests") => {
                                hold_requests = self.switch()?;
                            }
                            _ => self.skip()?,
                        }
                    }
                }
                (Space::Envelope, "Body") if message.is_none() => {
                    message = Some(self.body()?);
                    if let Some(Message::Invalid { .. }) = message {
                        // The place in the tree is lost; the rest must be well-formed still.
                        while self.reader.next()?.is_some() {}
                        break;
                    }
                }
                _ => self.skip()?,
            }
        }
        while self.reader.next()?.is_some() {}
        match message {
            Some(message) => Ok(Envelope {
                version: self.version,
                id,
                hold_requests,
                message,
            }),
            None => not("envelope without body"),
        }
    }

    /// The first method of a body.
    fn body(&mut self) -> Read<Message<'a>> {
        let Some(method) = self.child()? else {
            return Err(SoapFault::NotSoap("empty body").into());
        };
        let message = match (method.space, method.local) {
            (Space::Envelope, "Fault") => self.fault().map(Message::Fault),
            (Space::Cwmp(_), name) => self.method(name),
            _ => return Err(SoapFault::NotSoap("method in a foreign namespace").into()),
        };
        let over_limit = match message {
            Ok(message) => {
                while self.child()?.is_some() {
                    self.skip()?;
                }
                return Ok(message);
            }
            Err(Stop::Over(fault)) => return Err(fault.into()),
            Err(Stop::Bad) => false,
            Err(Stop::TooMany) => true,
        };
        Ok(Message::Invalid {
            method: Cow::Borrowed(method.local),
            over_limit,
        })
    }

    /// What `xsi:type` of the element opened last says.
    fn kind(&self) -> Option<Kind> {
        let mut attributes = self.reader.attributes().iter();
        let said = attributes.find(|attribute| split(attribute.name).1 == "type")?;
        let said = said.value();
        let mut all = Kind::NAMED.into_iter();
        let known = all.find(|(_, name)| *name == split(said.trim()).1);
        known.map(|(kind, _)| kind)
    }

    /// `ParameterNames` of a method.
    fn names(&mut self) -> Read<Vec<Text<'a>>> {
        let names = self.one("ParameterNames", |at| at.list(Self::name))?;
        names.ok_or(Stop::Bad)
    }

    fn strings(&mut self) -> Read<Vec<Text<'a>>> {
        self.list(Self::text)
    }

    /// The only argument of the open method that counts.
    fn one<T>(
        &mut self,
        local: &str,
        mut take: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        let mut found = None;
        while let Some(part) = self.child()? {
            if part.local == local {
                found = Some(take(self)?);
            } else {
                self.skip()?;
            }
        }
        Ok(found)
    }

    /// The entries of the open array, whatever they are called.
    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let mut all = Vec::new();
        while self.child()?.is_some() {
            self.count()?;
            all.push(each(self)?);
        }
        Ok(all)
    }

    fn count(&mut self) -> Read<()> {
        self.items += 1;
        if self.items > PARAMETERS_MAX {
            return Err(Stop::TooMany);
        }
        Ok(())
    }

    /// A path or URL: blanks around it are a server's line breaks.
    fn name(&mut self) -> Read<Text<'a>> {
        Ok(match self.text()? {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }

    fn number(&mut self) -> Read<u32> {
        self.text()?.trim().parse().map_err(|_| Stop::Bad)
    }

    fn small(&mut self) -> Read<u8> {
        self.text()?.trim().parse().map_err(|_| Stop::Bad)
    }

    fn code(&mut self) -> Read<u16> {
        self.text()?.trim().parse().map_err(|_| Stop::Bad)
    }

    fn switch(&mut self) -> Read<bool> {
        match self.text()?.trim() {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(Stop::Bad),
        }
    }

    /// The next element within the one that is open; `None` at its end.
    fn child(&mut self) -> Read<Option<Element<'a>>> {
        if std::mem::take(&mut self.empty) {
            self.left();
            return Ok(None);
        }
        loop {
            match self.reader.next()? {
                Some(Token::Open { name, empty }) => return self.opened(name, empty).map(Some),
                Some(Token::Text(_)) => {}
                Some(Token::Close(_)) | None => {
                    self.left();
                    return Ok(None);
                }
            }
        }
    }

    /// The text of the element that is open, up to its end; elements in it are skipped.
    fn text(&mut self) -> Read<Text<'a>> {
        let mut all = Text::default();
        if std::mem::take(&mut self.empty) {
            self.left();
            return Ok(all);
        }
        loop {
            match self.reader.next()? {
                Some(Token::Text(text)) if all.is_empty() => all = text,
                Some(Token::Text(text)) => all.to_mut().push_str(&text),
                Some(Token::Open { name, empty }) => {
                    self.opened(name, empty)?;
                    self.skip()?;
                }
                Some(Token::Close(_)) | None => {
                    self.left();
                    return Ok(all);
                }
            }
        }
    }

    /// Leaves the element that is open with all that is in it.
    fn skip(&mut self) -> Read<()> {
        if std::mem::take(&mut self.empty) {
            self.left();
            return Ok(());
        }
        let mut depth = 1_usize;
        while depth > 0 {
            match self.reader.next()? {
                Some(Token::Open { empty, .. }) => depth += usize::from(!empty),
                Some(Token::Close(_)) => depth -= 1,
                Some(Token::Text(_)) => {}
                None => break,
            }
        }
        self.left();
        Ok(())
    }

    /// Takes an element's declarations in and says what it is.
    fn opened(&mut self, name: &'a str, empty: bool) -> Read<Element<'a>> {
        let depth = self.reader.depth() + usize::from(empty);
        for attribute in self.reader.attributes() {
            let prefix = match split(attribute.name) {
                ("xmlns", prefix) => prefix,
                (_, "xmlns") => "",
                _ => continue,
            };
            let uri = attribute.value();
            let space = match Version::of_namespace(&uri) {
                Some(version) => Space::Cwmp(version),
                None if uri == ENVELOPE => Space::Envelope,
                None => Space::Other,
            };
            if self.bindings.len() >= BINDINGS_MAX {
                return Err(SoapFault::NotSoap("too many namespaces").into());
            }
            self.bindings.push((depth, prefix, space));
        }
        self.empty = empty;
        let (prefix, local) = split(name);
        let mut bindings = self.bindings.iter().rev();
        let bound = bindings.find(|(_, known, _)| *known == prefix);
        let space = bound.map_or(Space::Other, |(_, _, space)| *space);
        if let Space::Cwmp(version) = space {
            self.version = Some(version);
        }
        Ok(Element { space, local })
    }

    /// Forgets the declarations of elements that are over.
    fn left(&mut self) {
        let depth = self.reader.depth();
        while self.bindings.last().is_some_and(|(at, ..)| *at > depth) {
            self.bindings.pop();
        }
    }
}

/// Prefix (empty without one) and local name.
fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}
