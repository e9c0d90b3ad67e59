//! A local stand-in of the WeChat Official Account HTTP API, for the demo, for development and
//! for tests.
//!
//! It speaks real HTTP on a loopback address and behaves as the platform is documented to: errors
//! come as an `errcode` inside HTTP 200, tokens expire and are renewed by the platform's rules,
//! values are checked against their keyword's kind, a repeated (openid, `client_msg_id`) within
//! ten minutes is delivered once. Where the platform's behaviour is not documented it is strict.
//! It knows the wire types and the cryptography of [`crate::messaging::wechat`] and nothing else of
//! this crate.
//!
//! A browser that opens its address sees the phones of its followers, and can write on them. With a
//! [`Callback`] what a follower writes and does is pushed to the account, again and again until it
//! is taken, and template messages are reported.
//!
//! # What this does not promise
//!
//! Nothing is kept on disk. Connections are plain HTTP. The order in which the platform makes its
//! checks is not documented, so neither is the order here.

mod account;
mod answer;
mod callback;
mod code;
mod connection;
mod deed;
mod fault;
mod phone;
mod push;
mod server;
mod template;
mod token;

pub use account::Act;
pub use callback::{Callback, CallbackMode, Pushed};
pub use code::Code;
pub use fault::{Fault, Faults};
pub use push::{Push, Report};
pub use template::{BadValue, Flaw, Keyword, Kind, Template};

use deed::Deed;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use server::{Running, Shared};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::DropGuard;

/// The sandbox's wall clock.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a sandbox is started with.
///
/// # Example
///
/// ```
/// use dosed::sandbox::{Follower, Options, Template};
///
/// let options = Options {
///     templates: vec![Template::new("T1", "用药提醒", &[("thing1", "患者"), ("time2", "时间")])],
///     followers: vec![Follower::new("o-wang", "王秀兰")],
///     ..Options::default()
/// };
/// assert_eq!(options.listen.port(), 0);
/// ```
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The account's appid.
    pub appid: String,
    /// The account's secret.
    pub secret: String,
    /// The account's templates.
    pub templates: Vec<Template>,
    /// Who follows the account from the start.
    pub followers: Vec<Follower>,
    /// Template messages a day (of Beijing); `None` is without limit.
    pub template_quota: Option<u32>,
    /// Whether messages and tries are kept. Without, only [`Counts`] grow: for benches.
    pub record: bool,
    /// The wall clock by which tokens expire and duplicates are forgotten.
    pub now: Now,
    /// The faults to make.
    pub faults: Faults,
    /// What the phone page shows beside the messages.
    pub page: Page,
    /// Where followers' messages are pushed to; `None` pushes nothing.
    pub callback: Option<Callback>,
}

impl Default for Options {
    /// Loopback, any port, appid `wxsandbox`, secret `sandbox-secret`, no templates, no
    /// followers, no quota, everything kept, the machine's clock, no faults.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            appid: "wxsandbox".to_owned(),
            secret: "sandbox-secret".to_owned(),
            templates: Vec::new(),
            followers: Vec::new(),
            template_quota: None,
            record: true,
            now: Arc::new(Timestamp::now),
            faults: Faults::none(),
            page: Page::default(),
            callback: None,
        }
    }
}

/// The phone page's surroundings.
#[derive(Clone, Debug)]
pub struct Page {
    /// The account's name.
    pub title: String,
    /// The zone of the times shown.
    pub timezone: TimeZone,
    /// How many times as fast as the machine's the sandbox's clock runs, for the clock that is
    /// shown between two looks at it.
    pub speed: u32,
}

impl Default for Page {
    /// `Sandbox`, UTC, the machine's speed.
    fn default() -> Self {
        Self {
            title: "Sandbox".to_owned(),
            timezone: TimeZone::UTC,
            speed: 1,
        }
    }
}

/// Somebody who follows the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Their openid.
    pub openid: String,
    /// The name on the phone page.
    pub name: String,
    /// A few words below the name.
    pub note: String,
}

impl Follower {
    /// A follower without a note.
    #[must_use]
    pub fn new(openid: &str, name: &str) -> Self {
        Self {
            openid: openid.to_owned(),
            name: name.to_owned(),
            note: String::new(),
        }
    }
}

/// A message in somebody's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Place in the order of arrival over all inboxes, from 1.
    pub seq: u64,
    /// What the API answered; beyond 2^53.
    pub msgid: i64,
    /// When the head of the request had arrived, by the sandbox's clock.
    pub received: Timestamp,
    /// Whose inbox it is in.
    pub touser: Arc<str>,
    /// The sender's key; template messages only.
    pub client_msg_id: Option<Arc<str>>,
    /// What it says.
    pub content: Content,
    /// How many more requests with the same key came within ten minutes and were not delivered.
    pub duplicates: u32,
}

impl Delivered {
    /// The value of a template's keyword, if this is a template message that has it.
    #[must_use]
    pub fn value(&self, keyword: &str) -> Option<&str> {
        match &self.content {
            Content::Template { data, .. } => data.get(keyword).map(String::as_str),
            Content::Text(_) => None,
        }
    }
}

/// What a delivered message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A card.
    Template {
        /// The template it is made of.
        template: Arc<Template>,
        /// Where a tap leads.
        url: Option<String>,
        /// Keyword name to value, as sent.
        data: BTreeMap<String, String>,
    },
    /// A written message (客服消息).
    Text(String),
}

/// One template send that carried a good token and a readable body, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When the head of the request had arrived, by the sandbox's clock.
    pub received: Timestamp,
    /// The openid it names.
    pub touser: String,
    /// The key it carries.
    pub client_msg_id: Option<String>,
    /// The fault that was made.
    pub fault: Fault,
    /// What was done, which need not be what was answered.
    pub outcome: Outcome,
}

/// What was done with a template send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Put into the inbox.
    Delivered,
    /// In the inbox already.
    Duplicate,
    /// Refused with this errcode.
    Refused(i64),
    /// Not looked at: the fault forbade it.
    Ignored,
}

/// What has happened so far, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages put into an inbox.
    pub accepted: u64,
    /// Template sends that repeated a key within ten minutes.
    pub duplicates: u64,
    /// Refusals by errcode, of all calls; scripted ones are not among them.
    pub refused: BTreeMap<i64, u64>,
    /// Faults made.
    pub faults: u64,
    /// Replies that carried a token, new or the same again.
    pub tokens: u64,
}

/// A running stand-in of the API. Dropping it stops it without waiting.
pub struct Sandbox {
    shared: Arc<Shared>,
    addr: SocketAddr,
    running: Mutex<Option<Running>>,
    _gone: DropGuard,
}

impl Sandbox {
    /// Binds the address and serves on the present tokio runtime.
    ///
    /// # Errors
    ///
    /// The address cannot be bound; `InvalidInput` if a template has a keyword of a kind the
    /// platform does not have.
    pub async fn start(options: Options) -> io::Result<Sandbox> {
        for template in &options.templates {
            if let Some(keyword) = template
                .keywords
                .iter()
                .find(|keyword| keyword.kind().is_none())
            {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("no such keyword kind: {}", keyword.name),
                ));
            }
        }
        let listen = options.listen;
        let shared = Arc::new(Shared::new(options));
        let running = Running::start(listen, Arc::clone(&shared)).await?;
        let addr = running.addr();
        Ok(Sandbox {
            _gone: shared.gone.clone().drop_guard(),
            shared,
            addr,
            running: Mutex::new(Some(running)),
        })
    }

    /// The address that was really bound.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What `wechat.api_base` is to say, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// All messages, in order of arrival.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivered> {
        self.shared.account().deliveries.clone()
    }

    /// One follower's messages, in order of arrival.
    #[must_use]
    pub fn inbox(&self, openid: &str) -> Vec<Delivered> {
        let account = self.shared.account();
        account
            .deliveries
            .iter()
            .filter(|message| *message.touser == *openid)
            .cloned()
            .collect()
    }

    /// All template sends, in the order in which they were carried out or not.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.account().attempts.clone()
    }

    /// The numbers so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.account().counts.clone()
    }

    /// Waits until the messages are such that `is_met`, asked now and after each change; false
    /// when `timeout` (of the machine's time) has passed without that.
    ///
    /// `is_met` runs under the sandbox's lock: it must not call the sandbox.
    #[must_use = "false says that it was waited for in vain"]
    pub async fn wait_for(
        &self,
        mut is_met: impl FnMut(&[Delivered]) -> bool,
        timeout: Duration,
    ) -> bool {
        self.shared
            .wait_until(|account| is_met(&account.deliveries), timeout)
            .await
    }

    /// As [`Sandbox::wait_for`], for the tries.
    #[must_use = "false says that it was waited for in vain"]
    pub async fn wait_for_attempts(
        &self,
        mut is_met: impl FnMut(&[Attempt]) -> bool,
        timeout: Duration,
    ) -> bool {
        self.shared
            .wait_until(|account| is_met(&account.attempts), timeout)
            .await
    }

    /// As [`Sandbox::wait_for`], for the numbers.
    #[must_use = "false says that it was waited for in vain"]
    pub async fn wait_for_counts(
        &self,
        mut is_met: impl FnMut(&Counts) -> bool,
        timeout: Duration,
    ) -> bool {
        self.shared
            .wait_until(|account| is_met(&account.counts), timeout)
            .await
    }

    /// Kills every token: calls that carry one get 40001, the next request for one gets a new one.
    pub fn invalidate_token(&self) {
        self.shared.account().kill_tokens(false);
    }

    /// Kills every token, and normal mode goes on handing out the dead one until a new one is
    /// forced: what the platform does when two programs force tokens against each other.
    pub fn jam_token(&self) {
        self.shared.account().kill_tokens(true);
    }

    /// Makes these faults on the next template sends, one each, before the script is asked again.
    pub fn queue_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.account().queued_faults.extend(faults);
    }

    /// Replaces the script of faults.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.account().faults = faults;
    }

    /// Somebody follows the account, for the first time or again.
    pub fn follow(&self, openid: &str) {
        self.shared.do_as(openid, Deed::Follow);
    }

    /// Somebody stops following: sends to them are refused with 43004.
    pub fn unfollow(&self, openid: &str) {
        self.shared.do_as(openid, Deed::Unfollow);
    }

    /// A follower writes a text.
    pub fn write(&self, openid: &str, text: &str) {
        self.shared.do_as(openid, Deed::Write(text.to_owned()));
    }

    /// A follower taps an item of a menu message.
    pub fn tap(&self, openid: &str, id: &str, content: &str) {
        let (id, content) = (id.to_owned(), content.to_owned());
        self.shared.do_as(openid, Deed::Tap { id, content });
    }

    /// Somebody scans a code by its ticket, and follows if they did not; false if there is no such
    /// code any more.
    pub fn scan(&self, openid: &str, ticket: &str) -> bool {
        self.shared.do_as(openid, Deed::Scan(ticket.to_owned()))
    }

    /// Pushes anything as if it had happened.
    pub fn push(&self, openid: &str, push: Push) {
        let msgid = self.shared.account().take_msgid();
        self.shared.push(openid, push, msgid);
    }

    /// Sets, changes or takes away the account's callback.
    pub fn set_callback(&self, callback: Option<Callback>) {
        self.shared.set_callback(callback);
    }

    /// What was pushed and came to an end, in that order.
    #[must_use]
    pub fn pushes(&self) -> Vec<Pushed> {
        self.shared.account().pushes.clone()
    }

    /// As [`Sandbox::wait_for`], for what was pushed.
    #[must_use = "false says that it was waited for in vain"]
    pub async fn wait_for_pushes(
        &self,
        mut is_met: impl FnMut(&[Pushed]) -> bool,
        timeout: Duration,
    ) -> bool {
        self.shared
            .wait_until(|account| is_met(&account.pushes), timeout)
            .await
    }

    /// The codes that can be scanned now, newest first.
    #[must_use]
    pub fn codes(&self) -> Vec<Code> {
        let now = self.shared.now();
        self.shared.account().codes(now).cloned().collect()
    }

    /// A follower does something after which the account may write freely for a while.
    pub fn act(&self, openid: &str, act: Act) {
        let now = self.shared.now();
        self.shared.account().act(openid, act, now);
    }

    /// Closes the address: connections in use end, new ones are refused. Everything the account
    /// knows stays.
    pub async fn close(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.stop().await;
        }
    }

    /// Opens the address again after [`Sandbox::close`]; does nothing while it is open.
    ///
    /// # Errors
    ///
    /// The address cannot be bound any more.
    pub async fn open(&self) -> io::Result<()> {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = Some(Running::start(self.addr, Arc::clone(&self.shared)).await?);
        }
        Ok(())
    }

    /// Stops, and waits until the address is free and every connection is closed.
    pub async fn shutdown(self) {
        self.close().await;
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
