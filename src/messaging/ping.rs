//! Addresses of other services that are asked for, and of whose answer only the status is read: a
//! dead man's switch.

use super::{Secret, install_crypto_provider};
use reqwest::{Client, Url, redirect};
use std::time::Duration;

/// An answer that takes longer does not come.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// An address, and the one beside it that is asked for while something does not work
/// (healthchecks.io's convention). Whoever knows them can feed the switch in the daemon's place:
/// neither is shown anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    well: Secret,
    fail: Secret,
    exposed: bool,
}

impl Ping {
    /// Reads an address; `None` where it is none that can be asked for: `http://` or `https://`,
    /// without user and fragment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well = Url::parse(text.trim()).ok()?;
        let plain = matches!(well.scheme(), "http" | "https")
            && well.has_host()
            && well.username().is_empty()
            && well.password().is_none()
            && well.fragment().is_none();
        if !plain {
            return None;
        }
        let mut fail = well.clone();
        fail.set_path(&format!("{}/fail", well.path().trim_end_matches('/')));
        let local = matches!(well.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let exposed = well.scheme() == "http" && !local;
        Some(Self {
            well: Secret::new(well),
            fail: Secret::new(fail),
            exposed,
        })
    }

    /// Whether it travels unencrypted over a network.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.exposed
    }

    /// Asks for the address, or for the one with `/fail` at the end of its path.
    ///
    /// # Errors
    /// What went wrong, in words without the address.
    pub async fn ask(&self, well: bool) -> Result<(), String> {
        let address = if well { &self.well } else { &self.fail };
        install_crypto_provider();
        let client = Client::builder()
            .timeout(ANSWER_MAX)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(words)?;
        let answer = client.get(address.expose()).send().await.map_err(words)?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("HTTP {}", answer.status().as_u16()))
        }
    }
}

/// The innermost cause, which names no address.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failing_address_is_the_same_with_fail_at_the_end_of_its_path() {
        for (given, fail, exposed) in [
            (
                "https://hc-ping.com/0b7c",
                "https://hc-ping.com/0b7c/fail",
                false,
            ),
            (
                " https://hc-ping.com/0b7c/ ",
                "https://hc-ping.com/0b7c/fail",
                false,
            ),
            (
                "https://monitor.clinic.example/p?id=7",
                "https://monitor.clinic.example/p/fail?id=7",
                false,
            ),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x/fail", false),
            (
                "http://monitor.clinic.example/x",
                "http://monitor.clinic.example/x/fail",
                true,
            ),
        ] {
            let ping = Ping::parse(given).unwrap_or_else(|| panic!("{given}"));
            assert_eq!(ping.fail.expose(), fail, "{given}");
            assert_eq!(ping.is_exposed(), exposed, "{given}");
            assert!(!format!("{ping:?}").contains("0b7c"));
        }
        for bad in [
            "",
            "hc-ping.com/0b7c",
            "ftp://hc-ping.com/0b7c",
            "https://user@hc-ping.com/x",
            "https://hc-ping.com/x#y",
        ] {
            assert!(Ping::parse(bad).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn what_went_wrong_is_said_without_the_address() {
        // Port 9 of loopback: nobody listens there.
        let ping = Ping::parse("http://127.0.0.1:9/0b7c-secret").unwrap();
        let why = ping.ask(true).await.expect_err("nobody listens there");
        assert!(!why.contains("0b7c") && !why.is_empty(), "{why}");
    }
}
