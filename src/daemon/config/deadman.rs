//! `[deadman]`: who is told regularly that the daemon works, and misses it when nothing comes.

use super::keys;
use crate::messaging::Ping;
use crate::plan::reader::Table;

/// Reads the table; `None` where there is none.
pub(super) fn read(root: &Table<'_>) -> Option<Ping> {
    let table = root.table("deadman", &keys::DEADMAN)?;
    let example = "url = \"https://hc-ping.com/your-uuid-here\"";
    let Some(value) = table.get("url") else {
        table.missing("url", example);
        return None;
    };
    let ping = Ping::parse(value.text()?.get_ref());
    // Found at the header: the line of the address is not to be shown.
    match &ping {
        None => table.findings().error_with_help(
            table.span(),
            "`deadman.url` must be an http:// or https:// address without user and fragment",
            format!("write: {example}"),
        ),
        Some(ping) if ping.is_exposed() => table.findings().warning(
            table.span(),
            "`deadman.url` travels unencrypted: whoever sees it can feed the switch in the \
             daemon's place",
        ),
        Some(_) => {}
    }
    ping
}
