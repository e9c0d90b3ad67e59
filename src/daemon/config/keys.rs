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
]);
pub(super) const STORE: Keys = Keys::new(&["path", "cache", "keep"]);
pub(super) const HTTP: Keys = Keys::new(&["private", "admin"]);
pub(super) const MESSAGING: Keys = Keys::new(&[
    "channel",
    "format",
    "concurrency",
    "rate",
    "hourly_max",
    "timeout",
]);
pub(super) const LOG: Keys = Keys::new(&["level", "format"]);
pub(super) const WECHAT: Keys =
    Keys::new(&["api_base", "appid", "ca_file", "secret_file", "templates"]);
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
