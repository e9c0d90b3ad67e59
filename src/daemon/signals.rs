//! Signals of the process, as requests to the daemon.
//!
//! Signals merge: a thousand SIGHUP may arrive as four. Nothing here counts them.

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook_tokio::{Handle, Signals};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the outside asks of a running daemon, and hears of it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Control {
    /// End in good order.
    pub stop: CancellationToken,
    /// Read configuration and plans again.
    pub reload: Arc<Notify>,
    /// Log a summary.
    pub summary: Arc<Notify>,
    /// Rung by the daemon, once: the plans are applied and it reminds.
    pub ready: Arc<Notify>,
}

/// Listens for the process's signals until the handle is closed. SIGTERM and SIGINT stop, a second
/// one leaves at once; SIGHUP reloads; SIGUSR1 logs a summary.
///
/// # Errors
/// A handler cannot be installed.
pub fn listen(control: Control) -> std::io::Result<Handle> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1])?;
    let handle = signals.handle();
    tokio::spawn(async move {
        while let Some(signal) = signals.next().await {
            match signal {
                SIGHUP => control.reload.notify_one(),
                SIGUSR1 => control.summary.notify_one(),
                _ if control.stop.is_cancelled() => {
                    // Asked twice: leave now. The store is safe by construction.
                    std::process::exit(128 + signal);
                }
                _ => control.stop.cancel(),
            }
        }
    });
    Ok(handle)
}
