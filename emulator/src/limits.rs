//! Every bound that a phone enforces at run time. Reaching one emits `LimitReached`.

/// Candidates (possible provisioning servers) tried in one run.
pub const CANDIDATES_MAX: u32 = 16;
/// HTTP redirects followed for one file; the common client default is between 5 and 20.
pub const REDIRECTS_MAX: u32 = 5;
/// Links (includes, resources, firmware parts) fetched in one run.
pub const LINKS_MAX: u32 = 256;
/// Links kept out of one document.
pub const DOCUMENT_LINKS_MAX: usize = 256;
/// Depth of documents that link to documents.
pub const LINK_DEPTH_MAX: u32 = 4;
/// Depth of reference documents that name reference documents (AUE-65).
pub const REFERENCE_DEPTH_MAX: u32 = 10;
/// Depth of catalogues that name catalogues: lists of versions, and chains of redirect steps.
pub const CATALOGUE_DEPTH_MAX: usize = 8;
/// Bytes of one configuration file.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Bytes of one firmware image.
pub const IMAGE_BYTES_MAX: usize = 64 << 20;
/// Bytes kept of an HTTP body whose status is not 200.
pub const REFUSAL_BYTES_MAX: usize = 4 << 10;
/// Lines read from one document.
pub const LINES_MAX: u32 = 100_000;
/// Bytes of one setting's value.
pub const VALUE_BYTES_MAX: usize = 4 << 10;
/// Nesting depth of an XML document.
pub const XML_DEPTH_MAX: usize = 32;
/// Attributes of one XML tag.
pub const XML_ATTRIBUTES_MAX: usize = 64;
/// Header fields of one HTTP or SIP message.
pub const HEADERS_MAX: usize = 64;
/// Bytes of the header section of one HTTP message.
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// Bytes of a URL, after markers are replaced.
pub const URL_BYTES_MAX: usize = 2 << 10;
/// Distinct names (setting keys, URLs) interned by one shard.
pub const NAMES_MAX: usize = 1 << 20;
/// Settings layers held before they are flattened into one.
pub const LAYERS_MAX: usize = 12;
/// Soft reboots and reboots within one hour of phone time; a phone that reaches it stays up.
pub const REBOOTS_PER_HOUR_MAX: u32 = 8;
/// SIP accounts of one phone.
pub const ACCOUNTS_MAX: u8 = 32;
/// Bytes of one SIP message on a stream.
pub const SIP_STREAM_BYTES_MAX: usize = 32 << 10;
/// Check-syncs that a phone remembers, so that one sent again starts nothing, though others came
/// between: two senders at a time, and one sender that was faster than its answer.
pub const CHECK_SYNCS_KEPT: usize = 4;
/// Wrong datagrams (foreign TID, unreadable, out of order) tolerated in one transfer.
pub const STRAYS_MAX: u32 = 64;
/// Bytes of unique bodies that the store keeps for phones yet to come.
pub const BODY_CACHE_BYTES_MAX: usize = 64 << 20;
/// Numbers of `Channel::Fresh` before they are used again: as many ports as a simulated network
/// has above its own.
pub const FRESH_CHANNELS: u16 = 16_000;
/// Files whose digest a phone keeps; the one kept longest is forgotten first, and such a file is
/// applied again.
pub const DIGESTS_MAX: usize = 128;
/// Seconds that one file may take, whatever progress it makes; unspecified, but a server that sends
/// a byte now and then must not hold a phone for days.
pub const TRANSFER_SECONDS_MAX: u64 = 3_600;
/// Settings sections taken out of one document.
pub const SECTIONS_MAX: usize = 64;
/// Operations on the settings taken out of one document.
pub const OPERATIONS_MAX: usize = 1_000;
/// Elements and attributes of a phone's settings tree.
pub const TREE_NODES_MAX: usize = 500_000;
/// Bytes of all names and values of a phone's settings tree.
pub const TREE_BYTES_MAX: usize = 2 * FILE_BYTES_MAX;
/// Elements that the operations of one document may look at.
pub const TREE_VISITS_MAX: u32 = 10_000_000;
/// Messages that one session with an auto-configuration server may have, in each direction.
pub const ACS_MESSAGES_MAX: u16 = 256;
/// Seconds that one such session may take; unspecified, but a server must not hold a phone for
/// ever.
pub const ACS_SESSION_SECONDS_MAX: u64 = 600;
/// Bytes of one SOAP message that a phone takes in.
pub const SOAP_BYTES_MAX: usize = 256 << 10;
/// Parameters that one RPC may name or ask for, objects opened out.
pub const PARAMETERS_MAX: usize = 4_096;
/// Seconds that a phone waits for what it asked on its display; unspecified (FAN-52 has no end).
pub const PROMPT_SECONDS_MAX: u64 = 3_600;
/// Questions that one run may put to its user.
pub const PROMPTS_MAX: u32 = 8;
/// Bytes of what a user types.
pub const TYPED_BYTES_MAX: usize = 128;
/// Downloads that an auto-configuration server can order before it was told their end.
pub const ACS_TRANSFERS_MAX: usize = 8;
/// Sessions that a phone keeps in mind because ScheduleInform asked for them.
pub const ACS_SCHEDULED_MAX: usize = 16;
/// Connection requests that a phone looks at within one minute; more are answered 503.
pub const CONNECTION_REQUESTS_MAX: u32 = 20;
/// Downloads that an auto-configuration server can order within one hour.
pub const ACS_ORDERS_PER_HOUR_MAX: u16 = 64;
