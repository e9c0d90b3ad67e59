//! The WeChat Official Account (服务号) channel: template messages under a stable token.

mod account;
mod answer;
mod call;
pub mod callback;
mod code;
mod connector;
pub mod crypto;
mod custom;
pub mod errcode;
mod http;
pub mod keyword;
mod pattern;
mod scene;
pub mod template;
mod token;
mod unfit;
pub mod wire;

pub use account::{Account, AccountError, AccountTemplate};
pub use code::{Code, SCENE_LENGTH_MAX};
pub use custom::TEXT_BYTES_MAX;
pub use token::{RefreshResult, TokenStatus};

use super::{Detail, Hint, Observer, Outcome, Outgoing, Permit, Secret, Verdict, Word};
use answer::{Answer, Fault};
use errcode::Class;
use http::Http;
use hyper::Uri;
use jiff::Timestamp;
use reqwest::Url;
use std::sync::Arc;
use std::time::Duration;
use template::{Templates, Unfit};
use token::{Mode, Token, Tokens};

/// New tokens have been seen refused for a moment; before the last try this much is waited.
const SETTLING: Duration = Duration::from_secs(1);

/// The account may not make this call; others it may.
const NO_PERMISSION: i64 = 48001;

/// What the channel needs to know.
#[derive(Clone)]
pub struct Settings {
    /// `https://api.weixin.qq.com`, or a gateway's address, with or without a path.
    pub api_base: String,
    /// The account.
    pub appid: String,
    /// The account's AppSecret.
    pub secret: Secret,
    /// Certificates (PEM) of authorities trusted besides the platform's.
    pub ca_pem: Option<Vec<u8>>,
    /// The templates, compiled.
    pub templates: Templates,
    /// Time limit of one request; connecting takes at most half of it.
    pub timeout: Duration,
    /// Sends at the same time, for which connections are kept.
    pub concurrency: usize,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
}

/// Why there can be no channel with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// `wechat.api_base` is no address of an API.
    #[error(
        "`wechat.api_base` must be an http:// or https:// address without user, query and fragment"
    )]
    ApiBase,
    /// `wechat.ca_file` holds no usable certificate.
    #[error("`wechat.ca_file` holds no usable PEM certificate")]
    Certificates,
    /// Nothing is trusted, so nothing could be reached.
    #[error(
        "this machine has no root certificates; install its ca-certificates package or set `wechat.ca_file`"
    )]
    NoRoots,
}

/// The day's quota of template messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Messages that may be sent a day.
    pub daily_limit: u64,
    /// Messages counted so far today.
    pub used: u64,
    /// Messages left today.
    pub remain: u64,
}

impl Quota {
    /// Share of the quota that is used, 0 to 1.
    #[must_use]
    pub fn share_used(self) -> f64 {
        if self.daily_limit == 0 {
            return 1.0;
        }
        (self.used as f64 / self.daily_limit as f64).min(1.0)
    }
}

/// The channel. Cheap to clone: clones share the connections and the token.
#[derive(Clone)]
pub struct WeChat {
    http: Http,
    tokens: Arc<Tokens>,
    templates: Templates,
    observer: Arc<dyn Observer>,
    settling: Duration,
}

impl WeChat {
    /// Makes the channel. Nothing is sent yet.
    ///
    /// # Errors
    /// An address or a certificate is unusable.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let base = parse_base(&settings.api_base)?;
        let http = Http::new(settings, base.scheme() == "https")?;
        Ok(Self {
            tokens: Arc::new(Tokens::new(settings, &base, http.clone())?),
            http,
            templates: settings.templates.clone(),
            observer: Arc::clone(&settings.observer),
            settling: SETTLING,
        })
    }

    /// The same channel (connections, token) with other templates, for a reload.
    #[must_use]
    pub fn with_templates(&self, templates: Templates) -> Self {
        Self {
            templates,
            ..self.clone()
        }
    }

    /// The templates in use.
    #[must_use]
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The token's state, for health.
    #[must_use]
    pub fn token_status(&self) -> TokenStatus {
        self.tokens.status()
    }

    /// Fetches a token if there is none, and connects for so many messages.
    pub async fn warm_up(&self, messages: usize) {
        // What stands in the way is shown by the token's status, and by the first send.
        if let Ok(token) = self.tokens.current().await {
            self.http.connect_ahead(&token.send, messages).await;
        }
    }

    /// How much of the day's quota of template messages is used, as the API says
    /// (`/cgi-bin/openapi/quota/get`, exact to a hundredth). `None` when it does not say: no
    /// token, no answer within the time limit of a request, a refusal. Nothing is tried twice.
    pub async fn quota(&self) -> Option<Quota> {
        let token = self.tokens.current().await.ok()?;
        let answer = self.ask_quota(&token).await.ok()?;
        quota_of(&answer)
    }

    /// Whether the API works, asked by the question for the quota: *accepted* when it answers
    /// and something is left of the quota. A token that is refused is replaced once.
    pub async fn ask(&self, now: jiff::Timestamp) -> Outcome {
        let mut token = match self.tokens.current().await {
            Ok(token) => token,
            Err(refusal) => return refusal.verdict(now).outcome,
        };
        let mut outcome = self.ask_with(&token, now).await;
        if outcome == Outcome::BadToken {
            token = match self.tokens.replace(&token, Mode::Normal).await {
                Ok(token) => token,
                Err(refusal) => return refusal.verdict(now).outcome,
            };
            outcome = self.ask_with(&token, now).await;
        }
        outcome
    }

    async fn ask_with(&self, token: &Token, now: jiff::Timestamp) -> Outcome {
        let answer = match self.ask_quota(token).await {
            Ok(answer) => answer,
            Err(fault) => return fault.outcome(now),
        };
        match answer.errcode().unwrap_or(0) {
            0 => match quota_of(&answer) {
                Some(Quota { remain: 0, .. }) => {
                    Outcome::Throttled(errcode::next_quota_look(now, 0))
                }
                Some(_) => Outcome::Accepted,
                // An object that says nothing of the quota is no answer of the API.
                None => Outcome::Unknown,
            },
            code => match errcode::outcome(code, now, 0).0 {
                // What was refused is the question, by an API that works.
                Outcome::Message | Outcome::Recipient | Outcome::RetryAt(_) => Outcome::Accepted,
                Outcome::Configuration if code == NO_PERMISSION => Outcome::Accepted,
                outcome => outcome,
            },
        }
    }

    async fn ask_quota(&self, token: &Token) -> Result<Answer, Fault> {
        let body = format!("{{\"cgi_path\":\"/cgi-bin/{}\"}}", call::TEMPLATE_SEND);
        let url = token.call("openapi/quota/get")?;
        let answer = self.http.post(url, body.into()).await?;
        if let Some(code) = answer.errcode().filter(|code| *code != 0) {
            self.observer.errcode(errcode::label(code));
        }
        Ok(answer)
    }

    /// Sends one template message.
    pub async fn send(&self, message: Outgoing<'_>) -> Verdict {
        let body = match self.templates.request(&message) {
            Ok(body) => bytes::Bytes::from(body),
            Err(unfit) => return unfit_verdict(&unfit),
        };
        let permit = Some(message.permit);
        let spread = message.id.0[0];
        let answered = self
            .call(call::TEMPLATE_SEND, body, permit, message.now, spread)
            .await;
        match answered {
            Err(verdict) => verdict,
            Ok(answer) if answer.errcode().is_none() && answer.msgid().is_none() => {
                // An object that says nothing of a result is no answer of the API.
                fault_verdict(Fault::Unreadable, message.now)
            }
            Ok(answer) => taken(&answer),
        }
    }

    /// Makes one call of the API. A refused token is replaced once in normal mode and once by
    /// force, and the call made again each time: a refusal of the token means that nothing was
    /// done. What the API refuses for another reason is an error too.
    async fn call(
        &self,
        call: &str,
        body: bytes::Bytes,
        permit: Option<&Permit>,
        now: Timestamp,
        spread: u8,
    ) -> Result<Answer, Verdict> {
        let current = self.tokens.current().await;
        let mut token = current.map_err(|refusal| refusal.verdict(now))?;
        let mut refused = match self
            .attempt(token.call(call), &body, permit, now, spread)
            .await
        {
            Attempt::Done(done) => return done,
            Attempt::TokenRefused(verdict) => verdict,
        };
        for mode in [Mode::Normal, Mode::Force] {
            if mode == Mode::Force {
                tokio::time::sleep(self.settling).await;
            }
            let replaced = self.tokens.replace(&token, mode).await;
            token = replaced.map_err(|refusal| refusal.verdict(now))?;
            refused = match self
                .attempt(token.call(call), &body, permit, now, spread)
                .await
            {
                Attempt::Done(done) => return done,
                Attempt::TokenRefused(verdict) => verdict,
            };
        }
        self.tokens.give_up(&token, refused.errcode).await;
        Err(Verdict {
            detail: Detail::TokenRefused,
            ..refused
        })
    }

    async fn attempt(
        &self,
        url: Result<Uri, Fault>,
        body: &bytes::Bytes,
        permit: Option<&Permit>,
        now: Timestamp,
        spread: u8,
    ) -> Attempt {
        let posted = match url {
            Ok(url) => self.http.post_if(url, body.clone(), permit).await,
            Err(fault) => Err(fault),
        };
        let answer = match posted {
            Ok(answer) => answer,
            Err(fault) => return Attempt::Done(Err(fault_verdict(fault, now))),
        };
        match answer.errcode().filter(|code| *code != 0) {
            None => Attempt::Done(Ok(answer)),
            Some(code) => {
                self.observer.errcode(errcode::label(code));
                let verdict = refusal_verdict(code, &answer, now, spread);
                match errcode::class(code) {
                    Class::Token => Attempt::TokenRefused(verdict),
                    _ => Attempt::Done(Err(verdict)),
                }
            }
        }
    }
}

fn quota_of(answer: &Answer) -> Option<Quota> {
    if answer.errcode().is_some_and(|code| code != 0) {
        return None;
    }
    let (daily_limit, used, remain) = answer.quota()?;
    Some(Quota {
        daily_limit,
        used,
        remain,
    })
}

enum Attempt {
    Done(Result<Answer, Verdict>),
    TokenRefused(Verdict),
}

fn taken(answer: &Answer) -> Verdict {
    Verdict {
        errcode: answer.errcode(),
        msgid: answer.msgid(),
        ..Verdict::new(Outcome::Accepted, Detail::Taken)
    }
}

fn refusal_verdict(code: i64, answer: &Answer, now: Timestamp, spread: u8) -> Verdict {
    let (outcome, tries_max) = errcode::outcome(code, now, spread);
    Verdict {
        outcome,
        tries_max,
        errcode: Some(code),
        msgid: answer.msgid(),
        detail: Detail::Errcode(code),
        hint: answer.hint(),
        rid: answer.rid(),
    }
}

fn fault_verdict(fault: Fault, now: Timestamp) -> Verdict {
    Verdict::new(fault.outcome(now), fault.detail())
}

fn unfit_verdict(unfit: &Unfit) -> Verdict {
    match unfit {
        Unfit::NotConfigured(_) => Verdict::new(Outcome::Message, Detail::NoTemplate),
        Unfit::Field(error) => Verdict {
            hint: Word::new(&error.field).map(Hint::Field),
            ..Verdict::new(Outcome::Message, Detail::Unfit(error.fault))
        },
        Unfit::Unrendered { field, .. } => Verdict {
            hint: Word::new(field).map(Hint::Field),
            ..Verdict::new(Outcome::Message, Detail::Unrendered)
        },
    }
}

/// How an API is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Encrypted, or not leaving this machine.
    Private,
    /// Unencrypted, over a network.
    Exposed,
}

/// Checks an `api_base` as the channel will read it.
///
/// # Errors
/// It is no address of an API.
pub fn check_api_base(text: &str) -> Result<Transport, SettingsError> {
    let base = parse_base(text)?;
    let local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    Ok(if base.scheme() == "https" || local {
        Transport::Private
    } else {
        Transport::Exposed
    })
}

fn parse_base(text: &str) -> Result<Url, SettingsError> {
    let base = Url::parse(text.trim()).map_err(|_| SettingsError::ApiBase)?;
    let plain = matches!(base.scheme(), "http" | "https")
        && base.has_host()
        && base.username().is_empty()
        && base.password().is_none()
        && base.query().is_none()
        && base.fragment().is_none();
    if plain {
        Ok(base)
    } else {
        Err(SettingsError::ApiBase)
    }
}

/// The address of a call below the base, whose own path is kept.
fn api_url(base: &Url, call: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{call}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests;
