//! Engine parameters: the fields of a phone's provisioning page, under the names that profiles and
//! scenarios use.

use std::borrow::Cow;

use super::template::Template;

/// A field of the phone's provisioning page (or an engine parameter a configuration can set).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Param {
    /// Provisioning at all (FLY-108).
    ProvisionEnable,
    /// SIP PnP (FLY-42).
    PnpEnable,
    /// A run at power-on or reset (FLY-108).
    ResyncOnReset,
    /// Upper bound of the random delay at power-on, seconds (FLY-86, FLY-104).
    RandomDelayS,
    /// Period of repeated runs, seconds; 0 = never (FLY-97).
    PeriodicS,
    /// Wait after a run that fetched nothing, seconds; 0 = no further try (FLY-105).
    ErrorRetryS,
    /// How long a due run waits for a busy phone at most, seconds (FLY-106).
    ForcedDelayS,
    /// A run after a firmware upgrade (FLY-107).
    ResyncAfterUpgrade,
    /// A run on check-sync (FLY-99, FLY-103).
    ResyncFromSip,
    /// Use DHCP option 66 (FLY-60).
    Option66Enable,
    /// Use DHCP option 67 (FLY-61, FLY-80).
    Option67Enable,
    /// The file asked for first (FLY-69).
    ConfigFileName,
    /// HTTP User-Agent; empty = the built-in one (FLY-91).
    UserAgent,
    /// HTTP authentication: `digest`, `basic` or `none` (FLY-89).
    AuthMethod,
    /// HTTP user name.
    Username,
    /// HTTP password.
    Password,
    /// The static provisioning URL (FLY-82).
    ServerUrl,
    /// The second profile's User-Agent (FLY-87).
    SecondUserAgent,
    /// The second profile's HTTP authentication.
    SecondAuthMethod,
    /// The second profile's user name.
    SecondUsername,
    /// The second profile's password.
    SecondPassword,
    /// The second profile's URL.
    SecondServerUrl,
    /// Firmware upgrades at all (FLY-93).
    UpgradeEnable,
    /// Wait after an upgrade that failed, seconds (FLY-93).
    UpgradeErrorRetryS,
    /// Firmware URL (FLY-93, FLY-116).
    UpgradeRule,
    /// The scheme of a server address that is written without one: `tftp`, `http`, `https`, `ftp`,
    /// or `in-turn` for https, http and tftp, each tried until one gives a file (FLY-66, AUE-38).
    BareScheme,
    /// The version of the settings applied last (GIG-37).
    SettingsVersion,
    /// Use DHCP option 114 (GIG-03).
    Option114Enable,
    /// DHCP options that are not used as sources, separated by commas: `66,114` (vendor facts).
    DhcpOptionsDisabled,
    /// Use DHCP at all as a source (AUE-25).
    DhcpEnable,
    /// Ask the vendor's redirect service (GIG-03, AUE-40).
    RedirectEnable,
    /// The redirect service's URL.
    RedirectUrl,
    /// The user name there.
    RedirectUser,
    /// The password there.
    RedirectPassword,
    /// The time server, where DHCP names none (AUE-05).
    NtpServer,
    /// The timetable runs on Mondays (AUE-21).
    TimetableMonday,
    /// … on Tuesdays.
    TimetableTuesday,
    /// … on Wednesdays.
    TimetableWednesday,
    /// … on Thursdays.
    TimetableThursday,
    /// … on Fridays.
    TimetableFriday,
    /// … on Saturdays.
    TimetableSaturday,
    /// … on Sundays.
    TimetableSunday,
    /// The time of day, `HH:MM`; anything else = no timetable.
    TimetableTime,
    /// A random delay after that time.
    TimetableRandom,
    /// Its least length, seconds.
    TimetableRandomMinS,
    /// Its greatest length, seconds.
    TimetableRandomMaxS,
    /// Local time minus UTC, in minutes; may be negative.
    TimeZoneMinutes,
    /// Hosts that may send check-sync, separated by blanks or commas; empty = any.
    CheckSyncSenders,
    /// The phone's own address where it is not leased: no DHCP at all then; empty = by DHCP
    /// (FAN-63, FAN-96).
    OwnAddress,
    /// The DHCP option that holds the URL: `66`, `43`, 128 to 254, or `0` for none (FAN-64,
    /// FAN-65).
    DhcpUrlOption,
    /// The order of the sources, by their names in the profile, separated by commas; empty = as the
    /// profile lists them (FAN-02, FAN-04).
    SourceOrder,
    /// Ask by multicast DNS (FAN-03).
    MdnsEnable,
    /// How PnP asks: `udp` or `tcp` (FAN-93).
    PnpTransport,
    /// The PnP server's address; the multicast group or a host (FAN-93).
    PnpServer,
    /// Its port (FAN-93).
    PnpPort,
    /// Wait between two SUBSCRIBEs in seconds; 0 = once at boot (FAN-94, FAN-106).
    PnpPeriodS,
    /// When the static server is asked: `disabled`, `after-reboot` or `interval` (FAN-112).
    StaticMode,
    /// The update interval of the static server, seconds (FAN-108).
    StaticIntervalS,
    /// The static server's address (FAN-108).
    StaticServer,
    /// The static server's protocol (FAN-108).
    StaticScheme,
    /// The static server's file name (FAN-108).
    StaticFile,
    /// The key of encrypted device files, 64 hexadecimal digits (FAN-42, FAN-45).
    DeviceKey,
    /// The key of encrypted general files (FAN-45).
    CommonKey,
    /// The two keys change places, as the text of the document has it (FAN-46).
    KeysSwapped,
    /// Fetch the general file too (FAN-07).
    DownloadCommon,
    /// Remember the file id that the user typed (FAN-140, FAN-141).
    SaveInput,
    /// The file id that is remembered.
    SavedInput,
    /// The version text of a file decides whether it is new, not its digest (FAN-138).
    VersionDecides,
    /// FTP in active mode.
    FtpActive,
    /// TR-069 (FAN-114).
    AcsEnable,
    /// The auto-configuration server's URL (FAN-115).
    AcsUrl,
    /// The user name there.
    AcsUser,
    /// The password there.
    AcsPassword,
    /// The inform period, seconds (FAN-115: 1 to 9999).
    AcsPeriodS,
    /// The user name for connection requests.
    AcsConnectionUser,
    /// The password for connection requests.
    AcsConnectionPassword,
    /// The TLS version of the field; `1.0` is not spoken (FAN-115).
    AcsTlsVersion,
    /// The kind of server: `common` or `ctc` (FAN-113).
    AcsKind,
}

impl Param {
    /// Every parameter with the name that profiles and scenarios use, in the order of `Param`.
    pub const ALL: [(Self, &'static str); 78] = [
        (Self::ProvisionEnable, "provision_enable"),
        (Self::PnpEnable, "pnp_enable"),
        (Self::ResyncOnReset, "resync_on_reset"),
        (Self::RandomDelayS, "random_delay_s"),
        (Self::PeriodicS, "periodic_s"),
        (Self::ErrorRetryS, "error_retry_s"),
        (Self::ForcedDelayS, "forced_delay_s"),
        (Self::ResyncAfterUpgrade, "resync_after_upgrade"),
        (Self::ResyncFromSip, "resync_from_sip"),
        (Self::Option66Enable, "option_66_enable"),
        (Self::Option67Enable, "option_67_enable"),
        (Self::ConfigFileName, "config_file_name"),
        (Self::UserAgent, "user_agent"),
        (Self::AuthMethod, "auth_method"),
        (Self::Username, "username"),
        (Self::Password, "password"),
        (Self::ServerUrl, "server_url"),
        (Self::SecondUserAgent, "second_user_agent"),
        (Self::SecondAuthMethod, "second_auth_method"),
        (Self::SecondUsername, "second_username"),
        (Self::SecondPassword, "second_password"),
        (Self::SecondServerUrl, "second_server_url"),
        (Self::UpgradeEnable, "upgrade_enable"),
        (Self::UpgradeErrorRetryS, "upgrade_error_retry_s"),
        (Self::UpgradeRule, "upgrade_rule"),
        (Self::BareScheme, "bare_scheme"),
        (Self::SettingsVersion, "settings_version"),
        (Self::Option114Enable, "option_114_enable"),
        (Self::DhcpOptionsDisabled, "dhcp_options_disabled"),
        (Self::DhcpEnable, "dhcp_enable"),
        (Self::RedirectEnable, "redirect_enable"),
        (Self::RedirectUrl, "redirect_url"),
        (Self::RedirectUser, "redirect_user"),
        (Self::RedirectPassword, "redirect_password"),
        (Self::NtpServer, "ntp_server"),
        (Self::TimetableMonday, "timetable_monday"),
        (Self::TimetableTuesday, "timetable_tuesday"),
        (Self::TimetableWednesday, "timetable_wednesday"),
        (Self::TimetableThursday, "timetable_thursday"),
        (Self::TimetableFriday, "timetable_friday"),
        (Self::TimetableSaturday, "timetable_saturday"),
        (Self::TimetableSunday, "timetable_sunday"),
        (Self::TimetableTime, "timetable_time"),
        (Self::TimetableRandom, "timetable_random"),
        (Self::TimetableRandomMinS, "timetable_random_min_s"),
        (Self::TimetableRandomMaxS, "timetable_random_max_s"),
        (Self::TimeZoneMinutes, "time_zone_minutes"),
        (Self::CheckSyncSenders, "check_sync_senders"),
        (Self::OwnAddress, "own_address"),
        (Self::DhcpUrlOption, "dhcp_url_option"),
        (Self::SourceOrder, "source_order"),
        (Self::MdnsEnable, "mdns_enable"),
        (Self::PnpTransport, "pnp_transport"),
        (Self::PnpServer, "pnp_server"),
        (Self::PnpPort, "pnp_port"),
        (Self::PnpPeriodS, "pnp_period_s"),
        (Self::StaticMode, "static_mode"),
        (Self::StaticIntervalS, "static_interval_s"),
        (Self::StaticServer, "static_server"),
        (Self::StaticScheme, "static_scheme"),
        (Self::StaticFile, "static_file"),
        (Self::DeviceKey, "device_key"),
        (Self::CommonKey, "common_key"),
        (Self::KeysSwapped, "keys_swapped"),
        (Self::DownloadCommon, "download_common"),
        (Self::SaveInput, "save_input"),
        (Self::SavedInput, "saved_input"),
        (Self::VersionDecides, "version_decides"),
        (Self::FtpActive, "ftp_active"),
        (Self::AcsEnable, "acs_enable"),
        (Self::AcsUrl, "acs_url"),
        (Self::AcsUser, "acs_user"),
        (Self::AcsPassword, "acs_password"),
        (Self::AcsPeriodS, "acs_period_s"),
        (Self::AcsConnectionUser, "acs_connection_user"),
        (Self::AcsConnectionPassword, "acs_connection_password"),
        (Self::AcsTlsVersion, "acs_tls_version"),
        (Self::AcsKind, "acs_kind"),
    ];

    /// The parameter called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(param, _)| *param)
    }
}

/// A parameter's default and the setting keys that set it (an empty list: web page only).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParamSpec {
    /// The value out of the box. Switches are `1` and `0`, times are whole seconds.
    pub default: Template,
    /// Setting keys bound to it, any of them; the first that is set wins.
    pub keys: Vec<String>,
    /// What values of those keys stand for, where the vendor's files write a word as a number.
    pub codes: Vec<(String, String)>,
    /// What a number in those keys is multiplied by to be seconds; 0 and 1 leave it as it is.
    pub unit_s: u32,
    /// Clause ids.
    pub clauses: Vec<String>,
}

impl ParamSpec {
    /// What the value of a bound key says, in the words of the parameter.
    #[must_use]
    pub fn meant<'a>(&'a self, value: &'a str) -> Cow<'a, str> {
        let code = self.codes.iter().find(|(code, _)| code == value.trim());
        if let Some((_, word)) = code {
            return Cow::Borrowed(word);
        }
        match value.trim().parse::<u64>() {
            Ok(number) if self.unit_s > 1 => {
                let seconds = number.saturating_mul(u64::from(self.unit_s));
                Cow::Owned(seconds.to_string())
            }
            _ => Cow::Borrowed(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_codes_and_hours_stand_for() {
        let spec = ParamSpec {
            codes: vec![("4".to_owned(), "http".to_owned())],
            ..ParamSpec::default()
        };
        for (value, meant) in [("4", "http"), (" 4 ", "http"), ("5", "5"), ("http", "http")] {
            assert_eq!(spec.meant(value), meant);
        }
        let spec = ParamSpec {
            unit_s: 3_600,
            ..ParamSpec::default()
        };
        for (value, meant) in [("2", "7200"), ("0", "0"), ("", ""), ("x", "x")] {
            assert_eq!(spec.meant(value), meant);
        }
        assert_eq!(spec.meant("18446744073709551615"), u64::MAX.to_string());
    }
}
