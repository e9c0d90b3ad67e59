//! Pushing to the account's callback address, as the platform does: within five seconds it wants to
//! hear that something was taken, or it sends again, three times.

use super::push::{Envelope, Push, Report};
use super::server::Shared;
use crate::messaging::wechat::crypto::{
    Cipher, CryptoError, RANDOM_BYTES, is_signature, signature,
};
use crate::messaging::wechat::wire::xml::{Document, Element};
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// Longest answer that is read.
const ANSWER_BYTES: usize = 64 * 1024;
/// Pushes of one thing in all: the first, and three more.
const TRIES: u32 = 4;
/// What the platform shows in the account's name when nothing, or nothing readable, is answered.
const OUT_OF_ORDER: &str = "该服务号暂时无法提供服务，请稍后再试";

/// How the account has its callback set up in its console.
#[derive(Clone)]
pub struct Callback {
    /// Where it listens.
    pub address: SocketAddr,
    /// The path there.
    pub path: String,
    /// The token of the signatures.
    pub token: String,
    /// How messages are pushed.
    pub mode: CallbackMode,
    /// The account's original id.
    pub original_id: String,
    /// What is reported of template messages.
    pub report: Report,
    /// How long an answer is waited for, and how long it is until the next try.
    pub patience: Duration,
    cipher: Cipher,
}

/// How messages are pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackMode {
    /// In the clear.
    Plain,
    /// In the clear and encrypted.
    Compatible,
    /// Encrypted.
    Secure,
}

impl Callback {
    /// Secure mode, five seconds, every message reported as delivered.
    ///
    /// # Errors
    /// [`CryptoError::Key`]
    pub fn new(
        address: SocketAddr,
        path: &str,
        token: &str,
        encoding_aes_key: &str,
        appid: &str,
    ) -> Result<Self, CryptoError> {
        Ok(Self {
            address,
            path: path.to_owned(),
            token: token.to_owned(),
            mode: CallbackMode::Secure,
            original_id: "gh_sandbox00000".to_owned(),
            report: Report::Success,
            patience: Duration::from_secs(5),
            cipher: Cipher::new(encoding_aes_key, appid)?,
        })
    }
}

/// A push, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Who did what is pushed.
    pub openid: Arc<str>,
    /// What was pushed.
    pub push: Push,
    /// How often.
    pub tries: u32,
    /// Whether the last was taken.
    pub taken: bool,
    /// What was answered to the follower at once.
    pub reply: Option<String>,
}

/// Pushes until it is taken or the platform gives up, and shows what is answered.
pub(super) async fn push(
    shared: Arc<Shared>,
    callback: Arc<Callback>,
    openid: Arc<str>,
    push: Push,
    msgid: i64,
) {
    let at = shared.now();
    let envelope = Envelope {
        account: &callback.original_id,
        openid: &openid,
        at,
        msgid,
    };
    let mut tries = 0;
    let reply = loop {
        let (query, body) = callback.form(&shared, &push, &envelope);
        let pushed = post(&callback, &query, body);
        let answer = tokio::time::timeout(callback.patience, pushed).await;
        tries += 1;
        let answer = answer.ok().flatten();
        let reply = answer.and_then(|answer| callback.read(&answer, &envelope));
        if reply.is_some() || tries == TRIES {
            break reply;
        }
        tokio::time::sleep(callback.patience).await;
    };
    let taken = reply.is_some();
    let reply = reply.flatten();
    let shown = match (&reply, taken) {
        (Some(text), _) => Some(text.as_str()),
        (None, false) if push.is_spoken() => Some(OUT_OF_ORDER),
        (None, _) => None,
    };
    let now = shared.now();
    let mut account = shared.account();
    if let Some(text) = shown {
        account.show(&openid, text, now);
    }
    account.note_push(Pushed {
        openid: Arc::clone(&openid),
        push,
        tries,
        taken,
        reply,
    });
    drop(account);
    shared.has_changed();
}

impl Callback {
    /// Query and body of one try; each try has its own timestamp and nonce.
    fn form(&self, shared: &Shared, push: &Push, envelope: &Envelope<'_>) -> (String, String) {
        let random = random();
        let timestamp = shared.now().as_second().to_string();
        let nonce = u32::from_be_bytes([random[0], random[1], random[2], random[3]]).to_string();
        let signed = signature(&[&self.token, &timestamp, &nonce]);
        let openid = envelope.openid;
        let mut query =
            format!("signature={signed}&timestamp={timestamp}&nonce={nonce}&openid={openid}");
        let clear = push.document(envelope);
        if self.mode == CallbackMode::Plain {
            return (query, clear.finish());
        }
        let encrypted = self
            .cipher
            .encrypt(random, &push.document(envelope).finish());
        let signed = signature(&[&self.token, &timestamp, &nonce, &encrypted]);
        query += "&encrypt_type=aes&msg_signature=";
        query += &signed;
        let outer = match self.mode {
            CallbackMode::Compatible => clear,
            _ => Document::default().text("ToUserName", envelope.account),
        };
        (query, outer.text("Encrypt", &encrypted).finish())
    }

    /// What was answered: `None` where the platform would send again, `Some(None)` where nothing is
    /// to be shown.
    #[expect(
        clippy::option_option,
        reason = "not taken, nothing to say, something to say"
    )]
    fn read(&self, answer: &str, envelope: &Envelope<'_>) -> Option<Option<String>> {
        if answer.is_empty() || answer == "success" {
            return Some(None);
        }
        let outer = Element::read(answer.as_bytes()).ok()?;
        let text = |element: &Element, name| element.text_of(name).ok()?.map(ToOwned::to_owned);
        let inner = match text(&outer, "Encrypt") {
            None if self.mode == CallbackMode::Secure => return None,
            None => outer,
            Some(encrypted) => {
                let (timestamp, nonce) = (text(&outer, "TimeStamp")?, text(&outer, "Nonce")?);
                let parts = [self.token.as_str(), &timestamp, &nonce, &encrypted];
                if !is_signature(&text(&outer, "MsgSignature")?, &parts) {
                    return None;
                }
                Element::read(&self.cipher.decrypt(&encrypted).ok()?).ok()?
            }
        };
        let is = |name, value: &str| text(&inner, name).as_deref() == Some(value);
        let addressed = is("ToUserName", envelope.openid) && is("FromUserName", envelope.account);
        if !addressed || !is("MsgType", "text") {
            return None;
        }
        text(&inner, "Content").map(Some)
    }
}

/// One try: the body of an answer with status 200.
async fn post(callback: &Callback, query: &str, body: String) -> Option<String> {
    let stream = TcpStream::connect(callback.address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::post(format!("{}?{query}", callback.path))
        .header(header::HOST, callback.address.to_string())
        .header(header::CONTENT_TYPE, "text/xml")
        .header(header::USER_AGENT, "Mozilla/4.0")
        .body(Body::from(body))
        .ok()?;
    let answered = async {
        let response = sender.send_request(request).await.ok()?;
        if response.status() != 200 {
            return None;
        }
        let body = to_bytes(Body::new(response.into_body()), ANSWER_BYTES).await;
        String::from_utf8(body.ok()?.to_vec()).ok()
    };
    let connection = async {
        // How it ends shows in the answer.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answered => answer,
        () = connection => None,
    }
}

/// New for each message.
fn random() -> [u8; RANDOM_BYTES] {
    let mut random = [0; RANDOM_BYTES];
    // Zeros would do for a stand-in.
    let _ = getrandom::fill(&mut random);
    random
}
