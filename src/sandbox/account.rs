//! The account behind the stand-in: who follows it, what was sent to whom, what it refuses.
//!
//! Everything here is synchronous and takes the instant as an argument; `server` puts it behind
//! HTTP and a lock.

use super::callback::Pushed;
use super::code::{BadCode, Code, CodeRequest, Codes};
use super::fault::{Fault, Faults};
use super::template::Template;
use super::token::{Count, Grant, Tokens, Verdict, day};
use super::{Attempt, Content, Counts, Delivered, Follower, Options};
use crate::messaging::wechat::wire::{CustomSend, Reply, StableTokenRequest, TemplateSend};
use jiff::{SignedDuration, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How long (openid, `client_msg_id`) is remembered.
const DEDUPE: SignedDuration = SignedDuration::from_mins(10);
/// Message ids begin far beyond 2^53, as the platform's do.
const FIRST_MSGID: i64 = 3_141_592_653_589_793_238;
/// Longer or other ids are refused: nothing documented promises that the platform takes them.
const CLIENT_MSG_ID_LENGTH: usize = 32;
/// Bytes of a custom message's text.
const CUSTOM_TEXT_BYTES: usize = 2048;

/// A refusal: the errcode, and the words that go with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: i64,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// A template message that is in the inbox, now or since an earlier try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Of the first message with this key.
    pub msgid: i64,
    /// Whether it was there already.
    pub duplicate: bool,
}

/// What a follower did that lets the account write freely for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Wrote a message: five messages within 48 hours.
    Writes,
    /// Tapped an item of the menu: three within a minute.
    TapsMenu,
    /// Scanned a code: three within a minute.
    Scans,
}

struct Fan {
    openid: Arc<str>,
    name: String,
    note: String,
    following: bool,
    /// Messages that may still be written freely, and until when; none since they followed.
    allowance: Option<(u32, Timestamp)>,
}

/// The account's whole state.
pub(super) struct Account {
    appid: String,
    secret: String,
    tokens: Tokens,
    templates: HashMap<String, Arc<Template>>,
    /// In the order given, for the listing.
    template_order: Vec<Arc<Template>>,
    fans: HashMap<Arc<str>, Fan>,
    /// In the order in which they came to follow.
    fan_order: Vec<Arc<str>>,
    seen: HashMap<Key, Seen>,
    /// The keys in the order of their first messages, for forgetting.
    seen_order: VecDeque<(Timestamp, Key)>,
    quota: Option<u32>,
    used: Count,
    next_msgid: i64,
    record: bool,
    codes: Codes,
    pub(super) deliveries: Vec<Delivered>,
    /// What phones show, in the order in which it came.
    pub(super) timeline: Vec<Line>,
    pub(super) pushes: Vec<Pushed>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) counts: Counts,
    pub(super) faults: Faults,
    pub(super) queued_faults: VecDeque<Fault>,
}

/// One thing on a phone.
pub(super) enum Line {
    /// A message of the account: its place among the deliveries.
    Delivered(usize),
    /// What the follower wrote or did.
    Own {
        openid: Arc<str>,
        at: Timestamp,
        text: String,
    },
}

/// What is delivered once: openid and `client_msg_id`.
type Key = (Arc<str>, Arc<str>);

/// The first of the messages with one key.
struct Seen {
    at: Timestamp,
    msgid: i64,
    /// Index into the deliveries; meaningless where nothing is recorded.
    delivery: usize,
}

impl Account {
    pub(super) fn new(options: Options) -> Self {
        let template_order: Vec<Arc<Template>> =
            options.templates.into_iter().map(Arc::new).collect();
        let fans: Vec<(Arc<str>, Fan)> = options.followers.into_iter().map(fan).collect();
        Self {
            appid: options.appid,
            secret: options.secret,
            tokens: Tokens::default(),
            templates: template_order
                .iter()
                .map(|template| (template.id.clone(), Arc::clone(template)))
                .collect(),
            template_order,
            fan_order: fans.iter().map(|(openid, _)| Arc::clone(openid)).collect(),
            fans: fans.into_iter().collect(),
            seen: HashMap::new(),
            seen_order: VecDeque::new(),
            quota: options.template_quota,
            used: Count::default(),
            next_msgid: FIRST_MSGID,
            record: options.record,
            codes: Codes::default(),
            deliveries: Vec::new(),
            timeline: Vec::new(),
            pushes: Vec::new(),
            attempts: Vec::new(),
            counts: Counts::default(),
            faults: options.faults,
            queued_faults: VecDeque::new(),
        }
    }

    /// `POST /cgi-bin/stable_token`.
    pub(super) fn stable_token(
        &mut self,
        request: &StableTokenRequest,
        now: Timestamp,
    ) -> Result<(Arc<str>, i64), Refusal> {
        self.check_credential(&request.grant_type, &request.appid, &request.secret)?;
        granted(
            self.tokens.stable(request.force_refresh, now),
            &mut self.counts,
        )
    }

    /// `GET /cgi-bin/token`.
    pub(super) fn plain_token(
        &mut self,
        grant_type: &str,
        appid: &str,
        secret: &str,
        now: Timestamp,
    ) -> Result<(Arc<str>, i64), Refusal> {
        self.check_credential(grant_type, appid, secret)?;
        granted(self.tokens.plain(now), &mut self.counts)
    }

    fn check_credential(&self, grant_type: &str, appid: &str, secret: &str) -> Result<(), Refusal> {
        let refusal = if appid.is_empty() {
            Refusal::new(41002, "appid missing")
        } else if secret.is_empty() {
            Refusal::new(41004, "appsecret missing")
        } else if grant_type != "client_credential" {
            Refusal::new(40002, "invalid grant_type")
        } else if appid != self.appid {
            Refusal::new(40013, "invalid appid")
        } else if secret != self.secret {
            Refusal::new(40125, "invalid appsecret")
        } else {
            return Ok(());
        };
        Err(refusal)
    }

    /// Judges the token that a call carries in its query.
    pub(super) fn check_token(&self, token: Option<&str>, now: Timestamp) -> Result<(), Refusal> {
        let token = token.unwrap_or("");
        if token.is_empty() {
            return Err(Refusal::new(41001, "access_token missing"));
        }
        match self.tokens.judge(token, now) {
            Verdict::Good => Ok(()),
            Verdict::Expired => Err(Refusal::new(42001, "access_token expired")),
            Verdict::NotLatest => Err(Refusal::new(
                40001,
                "invalid credential, access_token is invalid or not latest",
            )),
            Verdict::Malformed => Err(Refusal::new(40014, "invalid access_token")),
        }
    }

    /// Kills every token; see [`super::Sandbox::invalidate_token`].
    pub(super) fn kill_tokens(&mut self, stuck: bool) {
        self.tokens.kill(stuck);
    }

    /// `POST /cgi-bin/message/template/send`.
    pub(super) fn send_template(
        &mut self,
        send: TemplateSend,
        received: Timestamp,
        now: Timestamp,
    ) -> Result<Taken, Refusal> {
        if send.template_id.is_empty() {
            return Err(Refusal::new(40036, "invalid template_id size"));
        }
        let openid = self.recipient(&send.touser)?;
        let Some(template) = self.templates.get(&send.template_id).cloned() else {
            return Err(Refusal::new(40037, "invalid template_id"));
        };
        if let Err(bad) = template.check(&send.data) {
            return Err(Refusal::new(47003, bad.to_string()));
        }
        let key = match send.client_msg_id {
            Some(id) if id.len() > CLIENT_MSG_ID_LENGTH || !id.is_ascii() => {
                return Err(Refusal::new(45067, "client_msg_id exceed max length"));
            }
            Some(id) if !id.is_empty() => Some((Arc::clone(&openid), Arc::<str>::from(id))),
            Some(_) | None => None,
        };
        if let Some(key) = &key
            && let Some(msgid) = self.duplicate_of(key, now)
        {
            return Ok(Taken {
                msgid,
                duplicate: true,
            });
        }
        let today = day(now);
        if self.quota.is_some_and(|quota| self.used.of(today) >= quota) {
            return Err(Refusal::new(45009, "reach max api daily quota limit"));
        }
        self.used.add(today);
        let msgid = self.take_msgid();
        if let Some(key) = key.clone() {
            let delivery = self.deliveries.len();
            self.seen_order.push_back((now, key.clone()));
            self.seen.insert(
                key,
                Seen {
                    at: now,
                    msgid,
                    delivery,
                },
            );
        }
        self.counts.accepted += 1;
        if self.record {
            let data = send.data.into_iter();
            let content = Content::Template {
                template,
                url: send.url,
                data: data.map(|(name, value)| (name, value.value)).collect(),
            };
            self.deliver(openid, msgid, key.map(|(_, id)| id), content, received);
        }
        Ok(Taken {
            msgid,
            duplicate: false,
        })
    }

    /// `POST /cgi-bin/message/custom/send`, text only.
    pub(super) fn send_custom(
        &mut self,
        send: CustomSend,
        received: Timestamp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if send.msgtype != "text" {
            return Err(Refusal::new(40008, "invalid message type"));
        }
        if send.text.content.is_empty() {
            return Err(Refusal::new(44004, "empty content"));
        }
        if send.text.content.len() > CUSTOM_TEXT_BYTES {
            return Err(Refusal::new(45002, "content size out of limit"));
        }
        let closed = || {
            Refusal::new(
                45015,
                "response out of time limit or subscription is canceled",
            )
        };
        let Some(fan) = self.fans.get_mut(&*send.touser) else {
            return Err(Refusal::new(40003, "invalid openid"));
        };
        if !fan.following {
            return Err(closed());
        }
        match &mut fan.allowance {
            Some((left, until)) if now < *until => match left.checked_sub(1) {
                Some(fewer) => *left = fewer,
                None => return Err(Refusal::new(45047, "out of response count limit")),
            },
            Some(_) | None => return Err(closed()),
        }
        let touser = Arc::clone(&fan.openid);
        let msgid = self.take_msgid();
        self.counts.accepted += 1;
        if self.record {
            let content = Content::Text(send.text.content);
            self.deliver(touser, msgid, None, content, received);
        }
        Ok(())
    }

    /// An answer that needs no allowance: in the response to a push, or the platform's own.
    pub(super) fn show(&mut self, openid: &str, text: &str, now: Timestamp) {
        let Some(fan) = self.fans.get(openid) else {
            return;
        };
        let touser = Arc::clone(&fan.openid);
        let msgid = self.take_msgid();
        if self.record {
            self.deliver(touser, msgid, None, Content::Text(text.to_owned()), now);
        }
    }

    fn deliver(
        &mut self,
        touser: Arc<str>,
        msgid: i64,
        client_msg_id: Option<Arc<str>>,
        content: Content,
        received: Timestamp,
    ) {
        self.timeline.push(Line::Delivered(self.deliveries.len()));
        self.deliveries.push(Delivered {
            seq: self.deliveries.len() as u64 + 1,
            msgid,
            received,
            touser,
            client_msg_id,
            content,
            duplicates: 0,
        });
    }

    /// What a follower wrote or did, for their own phone; gives the number of the message.
    pub(super) fn wrote(&mut self, openid: &str, text: &str, now: Timestamp) -> Option<i64> {
        let openid = Arc::clone(&self.fans.get(openid)?.openid);
        if self.record {
            self.timeline.push(Line::Own {
                openid,
                at: now,
                text: text.to_owned(),
            });
        }
        Some(self.take_msgid())
    }

    /// Remembers what came of a push, if such things are remembered.
    pub(super) fn note_push(&mut self, pushed: Pushed) {
        if self.record {
            self.pushes.push(pushed);
        }
    }

    /// Whether somebody follows now.
    pub(super) fn follows(&self, openid: &str) -> bool {
        self.fans.get(openid).is_some_and(|fan| fan.following)
    }

    /// `POST /cgi-bin/qrcode/create`.
    pub(super) fn make_code(
        &mut self,
        request: CodeRequest,
        now: Timestamp,
    ) -> Result<Code, Refusal> {
        let made = self.codes.make(request, now).cloned();
        made.map_err(|bad| match bad {
            BadCode::ActionName => Refusal::new(40052, "invalid action_name"),
            BadCode::ActionInfo => Refusal::new(40053, "invalid action info"),
        })
    }

    /// The codes that can be scanned now, newest first.
    pub(super) fn codes(&self, now: Timestamp) -> impl Iterator<Item = &Code> {
        self.codes.working(now)
    }

    /// The templates, in the order in which they were given.
    pub(super) fn templates(&self) -> &[Arc<Template>] {
        &self.template_order
    }

    /// (limit, used) of template sends today; no limit shows as the largest there is.
    pub(super) fn template_quota(&self, now: Timestamp) -> (u32, u32) {
        (self.quota.unwrap_or(u32::MAX), self.used.of(day(now)))
    }

    /// (openid, name, note) of all who follow or did, in the order in which they came.
    pub(super) fn fans(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.fan_order
            .iter()
            .filter_map(|openid| self.fans.get(openid))
            .map(|fan| (&*fan.openid, fan.name.as_str(), fan.note.as_str()))
    }

    /// Follows, or follows again (three free messages within a minute).
    pub(super) fn follow(&mut self, openid: &str, now: Timestamp) {
        if !self.fans.contains_key(openid) {
            let (openid, fan) = fan(Follower::new(openid, openid));
            self.fan_order.push(Arc::clone(&openid));
            self.fans.insert(openid, fan);
        }
        let Some(fan) = self.fans.get_mut(openid) else {
            return;
        };
        fan.following = true;
        fan.allowance = Some(allow(3, SignedDuration::from_mins(1), now));
    }

    /// Stops following; nothing reaches them any more.
    pub(super) fn unfollow(&mut self, openid: &str) {
        if let Some(fan) = self.fans.get_mut(openid) {
            fan.following = false;
            fan.allowance = None;
        }
    }

    /// A follower did something; the allowance is set anew, not added to.
    pub(super) fn act(&mut self, openid: &str, act: Act, now: Timestamp) {
        if let Some(fan) = self.fans.get_mut(openid).filter(|fan| fan.following) {
            fan.allowance = Some(match act {
                Act::Writes => allow(5, SignedDuration::from_hours(48), now),
                Act::TapsMenu | Act::Scans => allow(3, SignedDuration::from_mins(1), now),
            });
        }
    }

    /// Remembers a try, if tries are remembered.
    pub(super) fn note(&mut self, attempt: impl FnOnce() -> Attempt) {
        if self.record {
            self.attempts.push(attempt());
        }
    }

    /// The reply for a refusal, counted.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Reply {
        *self.counts.refused.entry(refusal.code).or_default() += 1;
        Reply {
            errcode: refusal.code,
            errmsg: refusal.message,
            msgid: None,
        }
    }

    fn recipient(&self, openid: &str) -> Result<Arc<str>, Refusal> {
        match self.fans.get(openid) {
            None if openid.is_empty() => Err(Refusal::new(41009, "missing openid")),
            None => Err(Refusal::new(40003, "invalid openid")),
            Some(fan) if !fan.following => Err(Refusal::new(43004, "require subscribe")),
            Some(fan) => Ok(Arc::clone(&fan.openid)),
        }
    }

    /// The message id of the first message with this key, if it is still remembered.
    fn duplicate_of(&mut self, key: &Key, now: Timestamp) -> Option<i64> {
        while let Some((at, _)) = self.seen_order.front()
            && now.duration_since(*at) >= DEDUPE
        {
            let (at, key) = self.seen_order.pop_front()?;
            // The key may have been taken again since, by a clock that was moved.
            if self.seen.get(&key).is_some_and(|seen| seen.at == at) {
                self.seen.remove(&key);
            }
        }
        let seen = self
            .seen
            .get(key)
            .filter(|seen| now.duration_since(seen.at) < DEDUPE)?;
        self.counts.duplicates += 1;
        if self.record {
            self.deliveries[seen.delivery].duplicates += 1;
        }
        Some(seen.msgid)
    }

    pub(super) fn take_msgid(&mut self) -> i64 {
        let msgid = self.next_msgid;
        self.next_msgid += 1;
        msgid
    }
}

fn fan(follower: Follower) -> (Arc<str>, Fan) {
    let Follower { openid, name, note } = follower;
    let openid: Arc<str> = openid.into();
    let fan = Fan {
        openid: Arc::clone(&openid),
        name,
        note,
        following: true,
        allowance: None,
    };
    (openid, fan)
}

fn allow(count: u32, span: SignedDuration, now: Timestamp) -> (u32, Timestamp) {
    (count, now.checked_add(span).unwrap_or(Timestamp::MAX))
}

fn granted(grant: Grant, counts: &mut Counts) -> Result<(Arc<str>, i64), Refusal> {
    match grant {
        Grant::Token(text, left) => {
            counts.tokens += 1;
            Ok((text, left))
        }
        Grant::DailyLimit => Err(Refusal::new(45009, "reach max api daily quota limit")),
        Grant::MinuteLimit => Err(Refusal::new(
            45011,
            "api minute-quota reach limit, please retry next minute",
        )),
    }
}
