//! From a request to what is answered.

use super::inbound::Inbound;
use super::inbox::{InboundKind, InboundResult, Inbox, Unavailable};
use super::passive;
use super::query::Query;
use super::refusal::Refusal;
use crate::messaging::Secret;
use crate::messaging::wechat::crypto::{Cipher, CryptoError, RANDOM_BYTES};
use crate::messaging::wechat::wire::xml::Element;
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The platform waits five seconds, and a contact who sees no answer writes again: what is not
/// committed by then is not answered.
const COMMIT_MAX: Duration = Duration::from_secs(1);
/// What the platform wants to hear when it is to show nothing.
const TAKEN: &str = "success";
/// The same kind of refusal is logged once in so many seconds: anybody can make one.
const LOG_EVERY_SECONDS: i64 = 60;

/// How the platform pushes, as the account's console has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Encrypted (安全模式).
    #[default]
    Secure,
    /// Encrypted, with the same in the clear beside it (兼容模式). What is in the clear is covered
    /// by no signature, and is not looked at.
    Compatible,
    /// In the clear (明文模式): whoever sees one request of the platform can make others for ten
    /// minutes.
    Plain,
}

/// What is needed to judge and to answer. `Debug` is not derived: it has secrets.
pub struct Settings {
    /// The account.
    pub appid: String,
    /// The account's original id (`gh_…`), if messages for another are to be refused.
    pub account: Option<String>,
    /// The token, as the account's console has it.
    pub token: Secret,
    /// The EncodingAESKey; not looked at in plain mode.
    pub aes_key: Option<Secret>,
    /// How the platform pushes.
    pub mode: Mode,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was taken: this body, `success` or an answer to the contact.
    Taken(Cow<'static, str>),
    /// It was not taken for what it is.
    Refused(Refusal),
    /// It was not taken in time; it is to be sent again.
    Unavailable,
}

/// The callback address. It judges, reads, hands over and answers.
pub struct Reception {
    account: Option<String>,
    token: Secret,
    /// `None` in plain mode.
    cipher: Option<Cipher>,
    mode: Mode,
    inbox: Arc<dyn Inbox>,
    commit_max: Duration,
    /// When each kind of refusal was logged, in seconds since 1970.
    logged: [AtomicI64; Refusal::KINDS],
}

impl Reception {
    /// Makes the address of one account.
    ///
    /// # Errors
    /// [`CryptoError::Key`]: the EncodingAESKey is none, or is missing in a mode that needs one.
    pub fn new(settings: &Settings, inbox: Arc<dyn Inbox>) -> Result<Self, CryptoError> {
        let cipher = match (settings.mode, &settings.aes_key) {
            (Mode::Plain, _) => None,
            (_, Some(key)) => Some(Cipher::new(key.expose(), &settings.appid)?),
            (_, None) => return Err(CryptoError::Key),
        };
        Ok(Self {
            account: settings.account.clone(),
            token: settings.token.clone(),
            cipher,
            mode: settings.mode,
            inbox,
            commit_max: COMMIT_MAX,
            logged: [const { AtomicI64::new(i64::MIN) }; Refusal::KINDS],
        })
    }

    /// With another limit to a commit, for tests.
    #[must_use]
    pub fn with_commit_max(self, commit_max: Duration) -> Self {
        Self { commit_max, ..self }
    }

    /// The platform asks whether this is the account's address: what to answer, as it stands.
    ///
    /// # Errors
    /// It is not the platform that asks; logged and counted.
    pub fn greet(&self, query: &[(String, String)]) -> Result<String, Refusal> {
        let greeted = Query::read(query).and_then(|query| {
            query.check(self.token.expose(), self.inbox.now())?;
            query.echo().map(ToOwned::to_owned)
        });
        greeted.inspect_err(|refusal| self.refused(*refusal))
    }

    /// The platform pushes something.
    pub async fn receive(&self, query: &[(String, String)], body: &[u8]) -> Answer {
        let now = self.inbox.now();
        let inbound = match self.open(query, body, now) {
            Ok(inbound) => inbound,
            Err(refusal) => {
                self.refused(refusal);
                return Answer::Refused(refusal);
            }
        };
        let kind = InboundKind::of(&inbound.kind);
        let committed = self.inbox.receive(inbound.clone());
        match tokio::time::timeout(self.commit_max, committed).await {
            Ok(Ok(reply)) => Answer::Taken(self.body(&inbound, reply.as_deref())),
            failed => {
                let in_time = matches!(failed, Ok(Err(Unavailable)));
                tracing::warn!(
                    kind = kind.name(),
                    in_time,
                    "what came in could not be stored; the platform will send it again"
                );
                self.inbox.count(kind, InboundResult::Failed);
                Answer::Unavailable
            }
        }
    }

    /// Notes a request that did not get so far: too large, too slow, broken.
    pub fn unread(&self) {
        self.inbox
            .count(InboundKind::Unread, InboundResult::Refused);
    }

    /// Judges a request and reads what it carries. Does nothing else.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn open(
        &self,
        query: &[(String, String)],
        body: &[u8],
        now: Timestamp,
    ) -> Result<Inbound, Refusal> {
        let query = Query::read(query)?;
        query.check(self.token.expose(), now)?;
        if self.mode == Mode::Secure && !query.encrypted {
            return Err(Refusal::NotEncrypted);
        }
        if self.mode == Mode::Plain && query.encrypted {
            return Err(Refusal::Encrypted);
        }
        let outer = Element::read(body)?;
        let inbound = match &self.cipher {
            None => Inbound::read(&outer)?,
            Some(cipher) => {
                let encrypted = outer.text_of("Encrypt")?.ok_or(Refusal::NotEncrypted)?;
                query.check_message(self.token.expose(), encrypted)?;
                let message = cipher.decrypt(encrypted)?;
                let inbound = Inbound::read(&Element::read(&message)?)?;
                let named = outer.text_of("ToUserName")?;
                if named.is_some_and(|account| account != inbound.account) {
                    return Err(Refusal::Account);
                }
                inbound
            }
        };
        let own = self.account.as_deref();
        if own.is_some_and(|account| account != inbound.account) {
            return Err(Refusal::Account);
        }
        Ok(inbound)
    }

    /// What to answer to something that was taken.
    fn body(&self, inbound: &Inbound, reply: Option<&str>) -> Cow<'static, str> {
        let now = self.inbox.now();
        let reply = reply
            .filter(|reply| !reply.trim().is_empty())
            .filter(|_| inbound.kind.can_be_answered())
            .map(|reply| passive::text(inbound, reply, now));
        let Some(reply) = reply else {
            return TAKEN.into();
        };
        let Some(cipher) = &self.cipher else {
            return reply.into();
        };
        let mut random = [0; RANDOM_BYTES];
        let mut nonce = [0; 4];
        if getrandom::fill(&mut random)
            .and_then(|()| getrandom::fill(&mut nonce))
            .is_err()
        {
            // It was taken, and that comes first; the contact sees no answer.
            tracing::error!("the system has no random numbers: an answer is left out");
            return TAKEN.into();
        }
        let nonce = u32::from_be_bytes(nonce);
        passive::sealed(&reply, self.token.expose(), cipher, random, nonce, now).into()
    }

    fn refused(&self, refusal: Refusal) {
        self.inbox
            .count(InboundKind::Unread, InboundResult::Refused);
        let now = self.inbox.now().as_second();
        let logged = &self.logged[refusal.index()];
        let last = logged.load(Ordering::Relaxed);
        if now.saturating_sub(last) >= LOG_EVERY_SECONDS || now < last {
            logged.store(now, Ordering::Relaxed);
            tracing::warn!(reason = %refusal, "a request to the callback address is refused");
        }
    }
}
