//! The keys of every table of the configuration: the one list that the reader, the example file's
//! test and the documentation share.

use crate::plan::reader::Keys;

/// A table and the keys it may have.
#[derive(Clone, Copy, Debug)]
pub struct TableKeys {
    /// Its dotted name; empty for the top level.
    pub table: &'static str,
    /// Its keys.
    pub keys: Keys,
}

pub(super) const TOP: Keys = Keys::new(&[
    "clinic",
    "day",
    "store",
    "http",
    "messaging",
    "log",
    "wechat",
    "staff",
    "deadman",
    "patients",
]);
pub(super) const CLINIC: Keys = Keys::new(&[
    "name",
    "timezone",
    "language",
    "plans",
    "watch",
    "quiet_hours",
    "day",
    "consent",
    "emergency_number",
    "red_flags",
    "opening_hours",
    "out_of_hours",
    "digest",
]);
pub(super) const STAFF: Keys = Keys::new(&[
    "name",
    "wechat",
    "role",
    "alerts",
    "quiet_hours",
    "language",
]);
pub(super) const HTTP: Keys = Keys::new(&["private", "public", "public_url", "admin"]);
pub(super) const STORE: Keys = Keys::new(&[
    "path",
    "cache",
    "keep",
    "backups",
    "backups_keep",
    "reports",
    "reports_keep",
]);
pub(super) const MESSAGING: Keys = Keys::new(&[
    "channel",
    "format",
    "concurrency",
    "rate",
    "timeout",
    "texts",
    "hourly_max",
]);
pub(super) const DEADMAN: Keys = Keys::new(&["url"]);
pub(super) const LOG: Keys = Keys::new(&["level", "format"]);
pub(super) const WECHAT: Keys = Keys::new(&[
    "api_base",
    "appid",
    "ca_file",
    "secret_file",
    "original_id",
    "callback_path",
    "token_file",
    "aes_key_file",
    "mode",
    "templates",
]);
pub(super) const TEMPLATES: Keys =
    Keys::new(&["dose", "check_in", "appointment", "notice", "alert"]);
pub(super) const TEMPLATE: Keys = Keys::new(&["id", "data"]);

/// All tables with a closed set of keys. Not among them: `[clinic.day]` and `[patients.ID]`, whose
/// grammar is that of plans, and `[wechat.templates.KIND.data]`, whose keys are the account's.
pub const TABLES: &[TableKeys] = &[
    TableKeys {
        table: "",
        keys: TOP,
    },
    TableKeys {
        table: "clinic",
        keys: CLINIC,
    },
    TableKeys {
        table: "store",
        keys: STORE,
    },
    TableKeys {
        table: "http",
        keys: HTTP,
    },
    TableKeys {
        table: "messaging",
        keys: MESSAGING,
    },
    TableKeys {
        table: "log",
        keys: LOG,
    },
    TableKeys {
        table: "staff",
        keys: STAFF,
    },
    TableKeys {
        table: "deadman",
        keys: DEADMAN,
    },
    TableKeys {
        table: "wechat",
        keys: WECHAT,
    },
    TableKeys {
        table: "wechat.templates",
        keys: TEMPLATES,
    },
    TableKeys {
        table: "wechat.templates.dose",
        keys: TEMPLATE,
    },
];
