//! Asking a running daemon: over its private listener or its administration socket.

use super::exit::Exit;
use crate::daemon::config::Config;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// A daemon on the same machine answers well within this.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A reload of very many plans takes a while.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Where the daemon listens.
pub struct Daemon {
    private: String,
    admin: PathBuf,
}

impl Daemon {
    /// From the configuration; with port 0, from what the daemon left in its store.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut daemon = Self {
            private: config.http.private.to_string(),
            admin: config.http.admin.clone(),
        };
        if let Ok(reader) = super::open_reader(config)
            && let Ok(Some(text)) = reader.endpoints()
            && let Ok(left) = serde_json::from_str::<Value>(&text)
        {
            if config.http.private.port() == 0
                && let Some(private) = left["private"].as_str()
            {
                private.clone_into(&mut daemon.private);
            }
            // The daemon's directory for sockets is the service manager's choice.
            if let Some(admin) = left["admin"].as_str() {
                daemon.admin = PathBuf::from(admin);
            }
        }
        daemon
    }

    /// Whether somebody listens on the administration socket.
    #[must_use]
    pub fn is_there(&self) -> bool {
        std::os::unix::net::UnixStream::connect(&self.admin).is_ok()
    }

    /// `GET` on the private listener. The body, whatever the status.
    ///
    /// # Errors
    /// No daemon answers.
    pub fn get(&self, path: &str) -> Result<String, (Exit, String)> {
        let url = format!("http://{}{path}", self.private);
        let unreachable = |error: reqwest::Error| {
            let message = format!("no daemon answers at {}: {}", self.private, cause(&error));
            (Exit::Unavailable, message)
        };
        block_on(async {
            let client = client(TIMEOUT, |builder| builder).map_err(unreachable)?;
            let answer = client.get(url).send().await.map_err(unreachable)?;
            answer.text().await.map_err(unreachable)
        })
    }

    /// `POST` of a JSON document on the administration socket.
    ///
    /// # Errors
    /// No daemon answers, or it may not be asked.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, (Exit, String)> {
        let denied = std::os::unix::net::UnixStream::connect(&self.admin)
            .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
        if denied {
            let message = format!(
                "no permission to open {}; run this as the daemon's user",
                self.admin.display()
            );
            return Err((Exit::Permission, message));
        }
        let unreachable = |error: reqwest::Error| {
            let socket = self.admin.display();
            (
                Exit::Unavailable,
                format!("no daemon answers at {socket}: {}", cause(&error)),
            )
        };
        block_on(async {
            let client = client(RELOAD_TIMEOUT, |it| it.unix_socket(self.admin.clone()))
                .map_err(unreachable)?;
            let request = client.post(format!("http://dosed{path}")).json(body);
            let answer = request.send().await.map_err(unreachable)?;
            answer.json().await.map_err(unreachable)
        })
    }
}

fn client(
    timeout: Duration,
    with: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> reqwest::Result<reqwest::Client> {
    crate::messaging::install_crypto_provider();
    with(reqwest::Client::builder().timeout(timeout).no_proxy()).build()
}

/// The innermost cause: the outer ones repeat the address.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Runs what is asynchronous to its end.
///
/// # Errors
/// Those of it; no runtime can be made.
pub(super) fn block_on<T>(
    asking: impl Future<Output = Result<T, (Exit, String)>>,
) -> Result<T, (Exit, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (Exit::Internal, error.to_string()))?;
    runtime.block_on(asking)
}
