//! Whether WeChat's question for the callback is answered: a correctly signed echo.

use super::Patient;
use super::finding::{Finding, Report};
use super::running::Running;
use crate::daemon::config::Channel;
use crate::messaging::wechat::crypto::{Cipher, signature};
use reqwest::Url;
use std::net::SocketAddr;
use std::time::Duration;

/// WeChat waits five seconds.
const ANSWER_MAX: Duration = Duration::from_secs(5);

pub async fn examine(patient: &Patient<'_>, daemon: &Running, report: &mut Report) {
    const CHECK: &str = "callback:echo";
    let config = patient.config;
    let Channel::WeChat(account) = &config.messaging.channel else {
        return;
    };
    let Some(callback) = &account
        .callback
        .as_ref()
        .filter(|_| config.http.public.is_some())
    else {
        return report.add(
            Finding::warn(CHECK, "[http] public is not set")
                .why("What patients answer does not arrive: doses end as missed")
                .remedy("write [http] public = \"127.0.0.1:8381\" and see docs/configuration.md"),
        );
    };
    let Ok(Some(secrets)) = config.callback_secrets() else {
        return report.add(Finding::skipped(
            CHECK,
            "the callback is not asked without its secrets",
        ));
    };
    if let Some(key) = &secrets.aes_key
        && let Err(error) = Cipher::new(key.expose(), &account.appid)
    {
        return report.add(
            Finding::fail("callback:key", error.to_string())
                .why("Nothing that patients write can be read")
                .remedy("write the EncodingAESKey (43 characters) of the console into its file"),
        );
    }
    if !daemon.answers {
        return report.add(Finding::skipped(
            CHECK,
            "no daemon answers that could be asked",
        ));
    }
    let local = daemon
        .public
        .as_deref()
        .and_then(|address| address.parse().ok())
        .or(config.http.public)
        .map(reachable);
    let told = patient.args.callback_url.clone();
    let public = told.or_else(|| {
        let base = config.http.public_url.as_ref()?;
        Some(format!("{base}{}", callback.path))
    });
    let targets = [
        local.map(|address| {
            (
                "callback:echo",
                format!("http://{address}{}", callback.path),
            )
        }),
        public.map(|url| ("callback:public", url)),
    ];
    // By the daemon's clock: what is asked here is whether it knows the Token.
    let now = daemon.now.unwrap_or(patient.now);
    for (check, address) in targets.into_iter().flatten() {
        let token = secrets.token.expose();
        let asked = ask(&address, token, now.as_second()).await;
        report.add(judge(check, &address, &asked));
    }
}

/// Where a listener on all addresses is asked on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    address
}

/// What came of asking.
#[derive(Debug)]
enum Answer {
    /// The echo.
    Echo,
    /// Something else, under this status.
    Other(u16),
    /// No answer, and why.
    None(String),
}

async fn ask(address: &str, token: &str, now: i64) -> Answer {
    let Ok(mut url) = Url::parse(address) else {
        return Answer::None("it is no address".to_owned());
    };
    let (timestamp, nonce) = (now.to_string(), "dosed-doctor");
    let echo = format!("dosed{timestamp}");
    url.query_pairs_mut()
        .append_pair("signature", &signature(&[token, &timestamp, nonce]))
        .append_pair("timestamp", &timestamp)
        .append_pair("nonce", nonce)
        .append_pair("echostr", &echo);
    crate::messaging::install_crypto_provider();
    let client = reqwest::Client::builder()
        .timeout(ANSWER_MAX)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build();
    let answered = match client {
        Ok(client) => client.get(url).send().await,
        Err(error) => Err(error),
    };
    let response = match answered {
        Ok(response) => response,
        Err(error) => return Answer::None(super::super::ask::cause(&error.without_url())),
    };
    let status = response.status().as_u16();
    match response.text().await {
        Ok(body) if status == 200 && body == echo => Answer::Echo,
        _ => Answer::Other(status),
    }
}

fn judge(check: &str, address: &str, answer: &Answer) -> Finding {
    let why = "What patients answer does not arrive: doses end as missed, red flags unread";
    match answer {
        Answer::Echo => Finding::ok(check, format!("{address} answers a signed question")),
        Answer::Other(403) => Finding::fail(
            check,
            format!("{address} refuses a question signed with the Token"),
        )
        .why(why)
        .remedy(
            "systemctl restart dosed (the Token's file was changed since its start?); then \
                     compare it with the console's",
        ),
        Answer::Other(200) => Finding::fail(
            check,
            format!("something else than dosed answers at {address}"),
        )
        .why(why)
        .remedy("let the web server pass callback_path on: see docs/configuration.md"),
        Answer::Other(status) => Finding::fail(check, format!("{address} answers HTTP {status}"))
            .why(why)
            .remedy("let the web server pass callback_path on: see docs/configuration.md"),
        Answer::None(cause) => Finding::fail(check, format!("{address} does not answer: {cause}"))
            .why(why)
            .remedy(format!("curl -v '{address}'")),
    }
}
