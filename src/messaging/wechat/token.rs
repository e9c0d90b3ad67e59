//! The access token: one for all workers, fetched once however many of them need it.
//!
//! Rules: `POST /cgi-bin/stable_token` as documented for the Official Account API. In normal mode
//! repeated calls give the same token while it is valid, and a new one in its last five minutes,
//! the old one staying valid beside it; `force_refresh` kills the present token at once, at most
//! 20 times a day and not within 30 s of the last.

use super::SettingsError;
use super::answer::{Answer, Fault};
use super::call::TEMPLATE_SEND;
use super::errcode::{self, Class};
use super::http::Http;
use super::{Settings, api_url};
use crate::messaging::{Detail, Hint, Observer, Outcome, Secret, Verdict, Word};
use hyper::Uri;
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// A token is replaced this long before it ends, where it lives long enough.
const MARGIN_MAX: Duration = Duration::from_secs(300);
/// No token is believed to live shorter.
const LIFE_MIN: Duration = Duration::from_secs(1);
/// No token is believed to live longer.
const LIFE_MAX: Duration = Duration::from_secs(7200);
/// Forced refreshes are at least this far apart.
const FORCE_SPACING: Duration = Duration::from_secs(30);
/// Forced refreshes within 24 hours.
const FORCED_MAX: usize = 20;
/// A configuration error is looked at again after this long, so that an operator's mending is
/// noticed without a restart.
const CONFIGURATION_PAUSE: Duration = Duration::from_secs(300);
/// After tokens were refused even fresh from a forced refresh, nothing is tried for this long; and
/// while the old token serves, none is asked for no longer than that.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// The longest wait after faults of the connection.
const FAULT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// The coarsest reading of a clock, twice.
const CLOCK_STEP: Duration = Duration::from_millis(2);

/// What came of asking for a token; the label set of `token_refreshes_total{result}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshResult {
    /// A token was given.
    Ok,
    /// As [`RefreshResult::Ok`], by force: the one before is dead.
    Forced,
    /// No believable answer, or the API was busy.
    Unavailable,
    /// A quota was used up.
    Throttled,
    /// The account, its secret or its allow-list.
    Configuration,
}

impl RefreshResult {
    /// All results.
    pub const ALL: [RefreshResult; 5] = [
        RefreshResult::Ok,
        RefreshResult::Forced,
        RefreshResult::Unavailable,
        RefreshResult::Throttled,
        RefreshResult::Configuration,
    ];

    /// The label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RefreshResult::Ok => "ok",
            RefreshResult::Forced => "forced",
            RefreshResult::Unavailable => "unavailable",
            RefreshResult::Throttled => "throttled",
            RefreshResult::Configuration => "configuration",
        }
    }
}

/// The token's state, for health. Holds no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenStatus {
    /// Time until the present token ends; `None` without one.
    pub expires_in: Option<Duration>,
    /// Why no token can be had at present, and for how long none is asked for.
    pub trouble: Option<(Detail, Duration)>,
}

/// One token, with the address it is used at.
pub(super) struct Token {
    /// The address of template messages, with the token in its query. The token is nowhere else.
    pub(super) send: Uri,
    /// From here on a new one is wanted.
    stale_at: Instant,
    /// From here on it is not used.
    ends_at: Instant,
}

impl Token {
    /// The address of a call, by its path below `cgi-bin/`, with the token.
    ///
    /// # Errors
    /// There is no such address: nothing can be sent to it.
    pub(super) fn call(&self, call: &str) -> Result<Uri, Fault> {
        if call == TEMPLATE_SEND {
            return Ok(self.send.clone());
        }
        let base = self.send.path();
        let base = base.strip_suffix(TEMPLATE_SEND).unwrap_or("/cgi-bin/");
        let query = self.send.query().unwrap_or_default();
        let path = format!("{base}{call}?{query}");
        let mut parts = self.send.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|_| Fault::NoConnection)?);
        Uri::from_parts(parts).map_err(|_| Fault::NoConnection)
    }
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Normal,
    Force,
}

/// Why there is no token.
#[derive(Clone, Copy)]
pub(super) struct Refusal {
    kind: Kind,
    until: Instant,
    errcode: Option<i64>,
    detail: Detail,
    hint: Option<Hint>,
    rid: Option<Word>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unavailable,
    Throttled,
    Configuration,
    Refused,
}

impl Refusal {
    /// Tokens are had, and refused.
    fn refused(pause: Duration, errcode: Option<i64>) -> Self {
        Self {
            kind: Kind::Refused,
            until: Instant::now() + pause,
            errcode,
            detail: Detail::TokenRefused,
            hint: None,
            rid: None,
        }
    }

    /// For how long no token is asked for. Clocks that are read in milliseconds add it to less than
    /// now: whoever waits for so long does not come too early.
    fn left(&self) -> SignedDuration {
        let left = self.until.saturating_duration_since(Instant::now()) + CLOCK_STEP;
        SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX)
    }

    /// What it means for a message that needed the token: it was never sent.
    pub(super) fn verdict(&self, now: Timestamp) -> Verdict {
        let outcome = match self.kind {
            Kind::Unavailable => Outcome::NoToken(self.left()),
            Kind::Throttled => Outcome::Throttled(now.saturating_add(self.left()).unwrap_or(now)),
            Kind::Configuration => Outcome::Configuration,
            Kind::Refused => Outcome::BadToken,
        };
        Verdict {
            errcode: self.errcode,
            hint: self.hint,
            rid: self.rid,
            ..Verdict::new(outcome, self.detail)
        }
    }
}

/// The cache and the one door to the token's endpoint.
pub(super) struct Tokens {
    http: Http,
    endpoint: Uri,
    send: Url,
    appid: String,
    secret: Secret,
    observer: Arc<dyn Observer>,
    cached: RwLock<Option<Arc<Token>>>,
    /// What keeps others from asking; read for health.
    held: Mutex<Option<Refusal>>,
    /// Held while a token is fetched: the single flight.
    flight: Arc<tokio::sync::Mutex<Flight>>,
}

#[derive(Default)]
struct Flight {
    /// Faults in a row.
    faults: u32,
    /// When tokens were last forced, oldest first.
    forced: VecDeque<Instant>,
}

#[derive(Serialize)]
struct Request<'a> {
    grant_type: &'static str,
    appid: &'a str,
    secret: &'a str,
    force_refresh: bool,
}

impl Tokens {
    pub(super) fn new(settings: &Settings, base: &Url, http: Http) -> Result<Self, SettingsError> {
        let endpoint = api_url(base, "cgi-bin/stable_token");
        Ok(Self {
            http,
            endpoint: Uri::try_from(endpoint.as_str()).map_err(|_| SettingsError::ApiBase)?,
            send: api_url(base, "cgi-bin/message/template/send"),
            appid: settings.appid.clone(),
            secret: settings.secret.clone(),
            observer: Arc::clone(&settings.observer),
            cached: RwLock::default(),
            held: Mutex::default(),
            flight: Arc::default(),
        })
    }

    /// The token to use now. One that nears its end is replaced behind the caller's back; one
    /// that has ended, or was dropped, is fetched first.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Arc<Token>, Refusal> {
        let now = Instant::now();
        if let Some(token) = self.cached() {
            if now < token.stale_at {
                return Ok(token);
            }
            if now < token.ends_at {
                if self.held(now).is_none()
                    && let Ok(flight) = Arc::clone(&self.flight).try_lock_owned()
                {
                    let tokens = Arc::clone(self);
                    tokio::spawn(async move {
                        let _ = tokens.fetch(flight, Mode::Normal).await;
                    });
                }
                return Ok(token);
            }
        }
        let flight = Arc::clone(&self.flight).lock_owned().await;
        match self.cached() {
            // Somebody else fetched it while this one waited.
            Some(token) if Instant::now() < token.ends_at => Ok(token),
            _ => self.fetch(flight, Mode::Normal).await,
        }
    }

    /// Another token than `refused`, which the API did not take: the one that somebody else has
    /// fetched meanwhile, or a new one.
    pub(super) async fn replace(
        self: &Arc<Self>,
        refused: &Arc<Token>,
        mode: Mode,
    ) -> Result<Arc<Token>, Refusal> {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        match self.cached() {
            Some(token) if !Arc::ptr_eq(&token, refused) => Ok(token),
            Some(_) => {
                self.cache(None);
                self.fetch(flight, mode).await
            }
            // Dropped already, and the one that comes next has not been refused yet.
            None => self.fetch(flight, Mode::Normal).await,
        }
    }

    /// Gives the token up after it was refused fresh from a forced refresh: nothing is tried for
    /// a while.
    pub(super) async fn give_up(&self, refused: &Arc<Token>, errcode: Option<i64>) -> Refusal {
        let refusal = Refusal::refused(REFUSED_PAUSE, errcode);
        let _flight = self.flight.lock().await;
        if self
            .cached()
            .is_some_and(|token| Arc::ptr_eq(&token, refused))
        {
            self.cache(None);
            self.hold(Some(refusal));
        }
        refusal
    }

    pub(super) fn status(&self) -> TokenStatus {
        let now = Instant::now();
        TokenStatus {
            expires_in: self
                .cached()
                .map(|token| token.ends_at.saturating_duration_since(now))
                .filter(|left| !left.is_zero()),
            trouble: self
                .held(now)
                .map(|refusal| (refusal.detail, refusal.until.saturating_duration_since(now))),
        }
    }

    /// Asks the API, holding the flight.
    async fn fetch(
        &self,
        mut flight: OwnedMutexGuard<Flight>,
        mode: Mode,
    ) -> Result<Arc<Token>, Refusal> {
        if let Some(refusal) = self.held(Instant::now()) {
            return Err(refusal);
        }
        if mode == Mode::Force && !flight.force(Instant::now()) {
            // Tokens are refused again although one was forced a moment ago. Without a pause each
            // message would now ask for a token of its own.
            let refusal = Refusal::refused(FORCE_SPACING, None);
            self.hold(Some(refusal));
            return Err(refusal);
        }
        let body = serde_json::to_vec(&Request {
            grant_type: "client_credential",
            appid: &self.appid,
            secret: self.secret.expose(),
            force_refresh: mode == Mode::Force,
        });
        let asked_at = Instant::now();
        let answer = match body {
            Ok(body) => self.http.post(self.endpoint.clone(), body.into()).await,
            // Texts always serialise; if one ever did not, there is no answer.
            Err(_) => Err(Fault::Unreadable),
        };
        match answer.map_err(|fault| Trouble {
            fault: Some(fault),
            ..Trouble::default()
        }) {
            Ok(answer) => match self.read(answer, asked_at) {
                Ok(token) => {
                    let token = Arc::new(token);
                    flight.faults = 0;
                    self.hold(None);
                    self.cache(Some(Arc::clone(&token)));
                    self.observer.token_refreshed(match mode {
                        Mode::Normal => RefreshResult::Ok,
                        Mode::Force => RefreshResult::Forced,
                    });
                    Ok(token)
                }
                Err(trouble) => Err(self.refuse(&mut flight, trouble)),
            },
            Err(trouble) => Err(self.refuse(&mut flight, trouble)),
        }
    }

    fn read(&self, answer: Answer, asked_at: Instant) -> Result<Token, Trouble> {
        if let Some(code) = answer.errcode().filter(|code| *code != 0) {
            self.observer.errcode(errcode::label(code));
            return Err(Trouble {
                fault: None,
                errcode: Some(code),
                hint: answer.hint(),
                rid: answer.rid(),
            });
        }
        let (secret, life) = answer
            .token()
            .filter(|(secret, life)| !secret.expose().is_empty() && *life >= 0)
            .ok_or(Trouble {
                fault: Some(Fault::Unreadable),
                ..Trouble::default()
            })?;
        // One that is given with nothing left is tried: a refusal of it leads to a new one sooner
        // than a pause would.
        let life = Duration::from_secs(life.unsigned_abs()).clamp(LIFE_MIN, LIFE_MAX);
        let mut send = self.send.clone();
        send.query_pairs_mut()
            .append_pair("access_token", secret.expose());
        let send = Uri::try_from(send.as_str()).map_err(|_| Trouble {
            fault: Some(Fault::Unreadable),
            ..Trouble::default()
        })?;
        // Counted from before the question, so that a slow answer does not lengthen the life.
        Ok(Token {
            send,
            stale_at: asked_at + life - margin(life),
            ends_at: asked_at + life,
        })
    }

    fn refuse(&self, flight: &mut Flight, trouble: Trouble) -> Refusal {
        let now = Instant::now();
        let mut refusal = trouble.refusal(flight.faults, now);
        if self.cached().is_some_and(|token| now < token.ends_at) {
            // Else what an operator mends before the token ends would be found out after it.
            refusal.until = refusal.until.min(now + REFUSED_PAUSE);
        }
        flight.faults = flight.faults.saturating_add(1);
        self.observer.token_refreshed(match refusal.kind {
            Kind::Unavailable => RefreshResult::Unavailable,
            Kind::Throttled => RefreshResult::Throttled,
            Kind::Configuration | Kind::Refused => RefreshResult::Configuration,
        });
        self.hold(Some(refusal));
        refusal
    }

    fn cached(&self) -> Option<Arc<Token>> {
        self.cached
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn cache(&self, token: Option<Arc<Token>>) {
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// What keeps anybody from asking at `now`.
    fn held(&self, now: Instant) -> Option<Refusal> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .filter(|refusal| now < refusal.until)
    }

    fn hold(&self, refusal: Option<Refusal>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
    }
}

impl Flight {
    /// Takes note of a forced refresh, if one is allowed now. The count is of this process: a
    /// restart forgets it, and the API then answers with its own limit.
    fn force(&mut self, now: Instant) -> bool {
        const DAY: Duration = Duration::from_secs(86_400);
        while self
            .forced
            .front()
            .is_some_and(|at| now.duration_since(*at) >= DAY)
        {
            self.forced.pop_front();
        }
        let too_soon = self
            .forced
            .back()
            .is_some_and(|at| now.duration_since(*at) < FORCE_SPACING);
        if too_soon || self.forced.len() >= FORCED_MAX {
            return false;
        }
        self.forced.push_back(now);
        true
    }
}

/// How long before its end a token that lives for `life` is replaced. A fifth of the life where
/// five minutes would be more: a token that comes with five minutes to live is the old one, and
/// asking again at once would give it again.
fn margin(life: Duration) -> Duration {
    MARGIN_MAX.min(life / 5)
}

/// What came instead of a token.
#[derive(Clone, Copy, Default)]
struct Trouble {
    fault: Option<Fault>,
    errcode: Option<i64>,
    hint: Option<Hint>,
    rid: Option<Word>,
}

impl Trouble {
    /// What follows, after so many faults in a row before this one.
    fn refusal(self, faults: u32, now: Instant) -> Refusal {
        let back_off = |most: Duration| {
            Duration::from_secs(1)
                .saturating_mul(1 << faults.min(16))
                .min(most)
        };
        let (kind, pause, detail) = match (self.fault, self.errcode) {
            (Some(Fault::Status(status @ 300..=399)), _) => (
                Kind::Configuration,
                CONFIGURATION_PAUSE,
                Detail::Status(status),
            ),
            (Some(fault), _) => (Kind::Unavailable, back_off(FAULT_PAUSE_MAX), fault.detail()),
            (None, code) => {
                let code = code.unwrap_or_default();
                let (kind, pause) = match errcode::class(code) {
                    // Busy, and no limit of how much may be sent.
                    Class::SystemError => (Kind::Unavailable, back_off(FAULT_PAUSE_MAX)),
                    Class::MinuteQuota => (Kind::Throttled, Duration::from_secs(60)),
                    Class::DayQuota => (Kind::Throttled, Duration::from_secs(1800)),
                    // Any other refusal of the token is one of the account, even 40001, which
                    // here means a wrong secret.
                    _ => (Kind::Configuration, CONFIGURATION_PAUSE),
                };
                (kind, pause, Detail::TokenErrcode(code))
            }
        };
        Refusal {
            kind,
            until: now + pause,
            errcode: self.errcode,
            detail,
            hint: self.hint,
            rid: self.rid,
        }
    }
}

#[cfg(test)]
impl Tokens {
    /// Makes the present token older.
    pub(super) fn age(&self, by: Duration) {
        if let Some(token) = self.cached() {
            self.cache(Some(Arc::new(Token {
                send: token.send.clone(),
                stale_at: token.stale_at - by,
                ends_at: token.ends_at - by,
            })));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_five_minutes_or_a_fifth_of_its_life_ahead() {
        for (life, before) in [(7200, 300), (1500, 300), (300, 60), (10, 2), (1, 0)] {
            let margin = margin(Duration::from_secs(life)).as_secs();
            assert_eq!(margin, before, "of {life} s");
        }
    }

    #[test]
    fn force_is_limited_by_spacing_and_by_day() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut flight = Flight::default();
        assert!(flight.force(at(0)));
        assert!(!flight.force(at(29)));
        for index in 1..20 {
            assert!(flight.force(at(index * 30)), "the {index}th");
        }
        assert!(!flight.force(at(20 * 30)), "the day's twenty are used");
        assert!(!flight.force(at(86_399)));
        assert!(flight.force(at(86_400)), "the first is a day old");
        assert!(!flight.force(at(86_401)));
    }

    #[test]
    fn faults_in_a_row_wait_longer_up_to_a_limit() {
        let now = Instant::now();
        let pause = |trouble: Trouble, faults| {
            trouble
                .refusal(faults, now)
                .until
                .duration_since(now)
                .as_secs()
        };
        let fault = Trouble {
            fault: Some(Fault::Timeout),
            ..Trouble::default()
        };
        let busy = Trouble {
            errcode: Some(-1),
            ..Trouble::default()
        };
        for (faults, seconds) in [(0, 1), (1, 2), (4, 16), (5, 30), (6, 30), (u32::MAX, 30)] {
            assert_eq!(pause(fault, faults), seconds);
            assert_eq!(pause(busy, faults), seconds);
        }
    }
}
