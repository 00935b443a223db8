//! SIP accounts: which setting keys make one, and how a phone registers it.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use super::template::Template;

/// How a vendor's phones get SIP accounts out of their settings, and register them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountsSpec {
    /// The number of the first account, as the vendor counts.
    pub first: u8,
    /// How many accounts the model has.
    pub count: u8,
    /// Where the settings of one account are.
    pub keys: AccountKeys,
    /// Whether an account is in use while nothing says so.
    pub enabled: bool,
    /// Values of `AccountKeys::transport` that mean TCP, in any case; every other one is UDP.
    pub tcp_words: Vec<String>,
    /// The registrar's port where no setting names one.
    pub port: u16,
    /// Seconds asked for where no setting says how many.
    pub expires_s: u32,
    /// Seconds after a registration that failed; a policy time. 0 = never again.
    pub retry_s: u32,
    /// The request URI of REGISTER.
    pub request_uri: Template,
    /// Header fields of REGISTER in order, exact case. One whose value comes out empty is left
    /// out; `{authorization}` stands for the answer to a challenge.
    pub headers: Vec<(String, Template)>,
    /// Clause ids.
    pub clauses: Vec<String>,
}

/// The setting keys of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountKeys {
    /// Whether the account is in use: `1`, `on`, `true`, `yes` or `enable`.
    pub enable: Option<AccountKey>,
    /// The user part of its address.
    pub user: Option<AccountKey>,
    /// The name used for authentication; without a value it is the user part.
    pub auth_user: Option<AccountKey>,
    /// The password.
    pub password: Option<AccountKey>,
    /// The domain of its address; without a value it is the registrar.
    pub domain: Option<AccountKey>,
    /// The registrar's host name or address; without a value it is the domain.
    pub registrar: Option<AccountKey>,
    /// The registrar's port.
    pub port: Option<AccountKey>,
    /// Seconds to ask for.
    pub expires: Option<AccountKey>,
    /// UDP or TCP.
    pub transport: Option<AccountKey>,
    /// Seconds after a registration that failed.
    pub retry: Option<AccountKey>,
}

/// A setting key with a place for the account's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountKey {
    before: String,
    /// What follows the number; `None` where the key has none (a model with one account).
    after: Option<String>,
    /// What another dialect of the vendor's files calls the same; read where this key has no value.
    or: Option<Box<AccountKey>>,
}

/// One account as the settings have it: in use and complete.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SipAccount {
    /// Its number, as the vendor counts.
    pub number: u8,
    /// The user part of its address.
    pub user: String,
    /// The name used for authentication.
    pub auth_user: String,
    /// The password.
    pub password: String,
    /// The domain of its address.
    pub domain: String,
    /// The registrar's host name or address.
    pub registrar: String,
    /// The registrar's port.
    pub port: u16,
    /// Seconds to ask for.
    pub expires_s: u32,
    /// Seconds after a registration that failed; 0 = never again.
    pub retry_s: u32,
    /// Over TCP rather than UDP.
    pub tcp: bool,
}

impl AccountKey {
    /// Reads `account.{n}.user_name`, or a key without a number. `None` for more than one `{n}`,
    /// for other braces, for control characters, and for white space other than single blanks
    /// within it (`sip{n} phone number`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |part: &str| {
            part.chars().all(|c| {
                let space = c.is_whitespace() && c != ' ';
                !c.is_control() && !space && !matches!(c, '{' | '}')
            })
        };
        let (before, after) = match text.split_once("{n}") {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        let single = text.trim() == text && !text.contains("  ");
        let fits = !text.is_empty() && single && plain(before) && after.is_none_or(plain);
        fits.then(|| Self {
            before: before.to_owned(),
            after: after.map(str::to_owned),
            or: None,
        })
    }

    /// The same with a key that is read where this one, and what it already falls back on, has no
    /// value.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        self.or = Some(Box::new(match self.or.take() {
            Some(held) => held.or(other),
            None => other,
        }));
        self
    }

    /// This key and those that it falls back on.
    fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |key| key.or.as_deref())
    }

    /// True when every account has a key of its own.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        self.each().all(|key| key.after.is_some())
    }

    /// The key of account `number`, in the first dialect.
    #[must_use]
    pub fn of(&self, number: u8) -> Cow<'_, str> {
        match &self.after {
            Some(after) => Cow::Owned(format!("{}{number}{after}", self.before)),
            None => Cow::Borrowed(&self.before),
        }
    }
}

impl AccountKeys {
    /// Every key with the name that profiles use.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<&AccountKey>); 10] {
        [
            ("enable", self.enable.as_ref()),
            ("user", self.user.as_ref()),
            ("auth_user", self.auth_user.as_ref()),
            ("password", self.password.as_ref()),
            ("domain", self.domain.as_ref()),
            ("registrar", self.registrar.as_ref()),
            ("port", self.port.as_ref()),
            ("expires", self.expires.as_ref()),
            ("transport", self.transport.as_ref()),
            ("retry", self.retry.as_ref()),
        ]
    }
}

impl AccountsSpec {
    /// The numbers of all accounts.
    pub fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        let first = self.first;
        (0..self.count).map(move |place| first.saturating_add(place))
    }

    /// Account `number` as `value` has its settings; `None` when it is not in use or says too
    /// little to be registered: a user and a host are needed.
    #[must_use]
    pub fn account<'v>(
        &self,
        number: u8,
        value: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) -> Option<SipAccount> {
        let text = |key: &Option<AccountKey>| {
            let mut found = key.iter().flat_map(AccountKey::each).filter_map(|key| {
                let text = value(&key.of(number))?.trim().to_owned();
                (!text.is_empty()).then_some(text)
            });
            found.next()
        };
        let enabled = match text(&self.keys.enable) {
            Some(word) => is_on(&word),
            None => self.enabled,
        };
        if !enabled {
            return None;
        }
        let user = text(&self.keys.user)?;
        let (registrar, domain) = match (text(&self.keys.registrar), text(&self.keys.domain)) {
            (Some(registrar), Some(domain)) => (registrar, domain),
            (Some(host), None) | (None, Some(host)) => (host.clone(), host),
            (None, None) => return None,
        };
        let number_of = |key| text(key).and_then(|digits| digits.parse::<u32>().ok());
        let transport = text(&self.keys.transport);
        let port = number_of(&self.keys.port).and_then(|port| u16::try_from(port).ok());
        Some(SipAccount {
            number,
            auth_user: text(&self.keys.auth_user).unwrap_or_else(|| user.clone()),
            password: text(&self.keys.password).unwrap_or_default(),
            domain,
            registrar,
            port: port.filter(|port| *port > 0).unwrap_or(self.port),
            expires_s: number_of(&self.keys.expires)
                .filter(|seconds| *seconds > 0)
                .unwrap_or(self.expires_s),
            retry_s: number_of(&self.keys.retry).unwrap_or(self.retry_s),
            tcp: transport.is_some_and(|word| {
                self.tcp_words
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(&word))
            }),
            user,
        })
    }
}

impl SipAccount {
    /// A number that is equal for equal accounts and differs, but for hash accidents, between
    /// others. Never printed.
    #[must_use]
    pub fn print(&self) -> u64 {
        let mut hasher = FxHasher::default();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl std::fmt::Debug for SipAccount {
    /// Says nothing of the password.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SipAccount")
            .field("number", &self.number)
            .field("user", &self.user)
            .field("domain", &self.domain)
            .field("registrar", &self.registrar)
            .field("port", &self.port)
            .field("tcp", &self.tcp)
            .finish_non_exhaustive()
    }
}

/// Whether a switch is on.
fn is_on(word: &str) -> bool {
    ["1", "on", "true", "yes", "enable"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AccountsSpec {
        let key = |text: &str| Some(AccountKey::parse(text).unwrap());
        AccountsSpec {
            first: 1,
            count: 2,
            keys: AccountKeys {
                enable: key("account.{n}.enable"),
                user: key("account.{n}.user"),
                auth_user: key("account.{n}.auth"),
                password: key("account.{n}.password"),
                domain: key("account.{n}.domain"),
                registrar: key("account.{n}.host"),
                port: key("account.{n}.port"),
                expires: key("account.{n}.expires"),
                transport: key("account.{n}.transport"),
                retry: key("sip.retry"),
            },
            enabled: false,
            tcp_words: vec!["1".to_owned(), "TCP".to_owned()],
            port: 5_060,
            expires_s: 3_600,
            retry_s: 300,
            request_uri: Template::literal("sip:example.org"),
            headers: Vec::new(),
            clauses: Vec::new(),
        }
    }

    fn account(settings: &[(&str, &str)]) -> Option<SipAccount> {
        spec().account(2, |key| {
            let found = settings.iter().find(|(known, _)| *known == key);
            found.map(|(_, value)| Cow::Borrowed(*value))
        })
    }

    #[test]
    fn takes_an_account_that_is_in_use_and_complete() {
        let whole = [
            ("account.2.enable", "1"),
            ("account.2.user", "u2"),
            ("account.2.host", "sip.example.org"),
        ];
        let found = account(&whole).unwrap();
        assert_eq!(
            (found.number, &*found.user, &*found.auth_user),
            (2, "u2", "u2")
        );
        assert_eq!(
            (&*found.domain, &*found.registrar),
            ("sip.example.org", "sip.example.org")
        );
        assert_eq!(
            (found.port, found.expires_s, found.retry_s, found.tcp),
            (5_060, 3_600, 300, false)
        );
        for left_out in 0..whole.len() {
            let mut less = whole.to_vec();
            less.remove(left_out);
            assert_eq!(account(&less), None, "without {:?}", whole[left_out]);
        }
        let off: Vec<_> = std::iter::once(("account.2.enable", "0"))
            .chain(whole.into_iter().skip(1))
            .collect();
        assert_eq!(account(&off), None);
    }

    #[test]
    fn reads_every_value_and_takes_defaults_for_unusable_ones() {
        let mut settings = vec![
            ("account.2.enable", "on"),
            ("account.2.user", " u2 "),
            ("account.2.auth", "a2"),
            ("account.2.password", "p"),
            ("account.2.domain", "example.org"),
            ("account.2.host", "10.0.0.2"),
            ("account.2.port", "5080"),
            ("account.2.expires", "120"),
            ("account.2.transport", "tcp"),
            ("sip.retry", "60"),
        ];
        let found = account(&settings).unwrap();
        assert_eq!((&*found.user, &*found.auth_user), ("u2", "a2"));
        assert_eq!(
            (&*found.domain, &*found.registrar),
            ("example.org", "10.0.0.2")
        );
        assert_eq!(
            (found.port, found.expires_s, found.retry_s, found.tcp),
            (5_080, 120, 60, true)
        );
        assert!(!format!("{found:?}").contains("\"p\""));
        settings[6].1 = "70000";
        settings[7].1 = "0";
        settings[8].1 = "tls";
        let other = account(&settings).unwrap();
        assert_eq!(
            (other.port, other.expires_s, other.tcp),
            (5_060, 3_600, false)
        );
        assert_ne!(found.print(), other.print());
    }

    #[test]
    fn reads_keys_with_and_without_a_number() {
        let key = AccountKey::parse("SIP.Account[{n}]/User").unwrap();
        assert!(key.is_numbered());
        assert_eq!(key.of(10), "SIP.Account[10]/User");
        let key = AccountKey::parse("sip_user").unwrap();
        assert!(!key.is_numbered());
        assert_eq!(key.of(1), "sip_user");
        let key = AccountKey::parse("sip.sip{n} phone number").unwrap();
        assert_eq!(key.of(2), "sip.sip2 phone number");
        for text in [
            "", "a{n}b{n}", "a{m}", "a  b{n}", " a", "a ", "a\tb", "a}", "a\n",
        ] {
            assert_eq!(AccountKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn falls_back_on_what_another_dialect_calls_the_same() {
        let key = |text: &str| AccountKey::parse(text).unwrap();
        let mut spec = spec();
        let other = key("sip.line[{n}].user");
        spec.keys.user = Some(key("sip.sip{n} user").or(other).or(key("user.{n}")));
        let name = |user: &str, value: &str| {
            let found = spec.account(2, |key| match key {
                "account.2.enable" => Some(Cow::Borrowed("1")),
                "account.2.host" => Some(Cow::Borrowed("example.org")),
                _ if key == user => Some(Cow::Owned(value.to_owned())),
                _ => None,
            });
            found.map(|account| account.user)
        };
        for user in ["sip.sip2 user", "sip.line[2].user", "user.2"] {
            assert_eq!(name(user, "a").as_deref(), Some("a"), "{user}");
        }
        assert_eq!(name("sip.sip2 user", " "), None);
        assert!(spec.keys.user.as_ref().unwrap().is_numbered());
    }
}
