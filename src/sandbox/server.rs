//! The account behind HTTP: routes, the connection that can be cut, the answers.

use super::account::{Account, Refusal, Taken};
use super::answer::{answer, html_response, json_response};
use super::callback::{self, Callback};
use super::code::CodeRequest;
use super::connection::{Door, Hangup};
use super::fault::Fault;
use super::push::{Push, Report};
use super::{Attempt, Now, Options, Outcome, Page, phone};
use crate::messaging::wechat::wire::{CustomSend, Reply, StableTokenRequest, TemplateSend};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer bodies are refused unread.
const BODY_BYTES: usize = 256 * 1024;
/// Connections that have not ended by themselves by then are left to the runtime.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What all requests share.
pub(super) struct Shared {
    // Held for the time of a look-up or an insertion, never across an await.
    account: Mutex<Account>,
    now: Now,
    pub(super) page: Page,
    /// Tells one start of a sandbox from another on the same address.
    pub(super) run: String,
    changed: watch::Sender<()>,
    sends: AtomicU64,
    token_requests: AtomicU64,
    refusals: AtomicU64,
    callback: Mutex<Option<Arc<Callback>>>,
    /// Ends what is being pushed.
    pub(super) gone: CancellationToken,
    runtime: tokio::runtime::Handle,
}

impl Shared {
    /// Within a runtime: what is pushed runs there.
    pub(super) fn new(options: Options) -> Self {
        Self {
            callback: Mutex::new(options.callback.clone().map(Arc::new)),
            gone: CancellationToken::new(),
            runtime: tokio::runtime::Handle::current(),
            now: Arc::clone(&options.now),
            page: options.page.clone(),
            run: format!("{:016x}", RandomState::new().build_hasher().finish()),
            account: Mutex::new(Account::new(options)),
            changed: watch::Sender::new(()),
            sends: AtomicU64::new(0),
            token_requests: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
        }
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        // A test's predicate may panic under the lock; the account is whole between its calls.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.now)()
    }

    pub(super) fn has_changed(&self) {
        self.changed.send_replace(());
    }

    pub(super) fn callback(&self) -> Option<Arc<Callback>> {
        let callback = self.callback.lock();
        callback.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_callback(&self, callback: Option<Callback>) {
        let held = self.callback.lock();
        *held.unwrap_or_else(PoisonError::into_inner) = callback.map(Arc::new);
    }

    /// Pushes in the background, if the account has a callback.
    pub(super) fn push(self: &Arc<Self>, openid: &str, push: Push, msgid: i64) {
        let Some(callback) = self.callback() else {
            return;
        };
        let pushed = callback::push(Arc::clone(self), callback, openid.into(), push, msgid);
        let gone = self.gone.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                () = pushed => {}
                () = gone.cancelled() => {}
            }
        });
    }

    /// Wakes with each change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(super) async fn wait_until(
        &self,
        mut is_met: impl FnMut(&Account) -> bool,
        timeout: Duration,
    ) -> bool {
        let mut changes = self.changes();
        let met = async {
            // Marked as seen before looking, so that no change falls between.
            while !is_met(&self.account()) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(timeout, met).await.is_ok()
    }
}

/// The listening half, which can be stopped and started again over the same account.
pub(super) struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub(super) async fn start(listen: SocketAddr, shared: Arc<Shared>) -> io::Result<Running> {
        let listener = TcpListener::bind(listen).await?;
        let addr = listener.local_addr()?;
        let stop = CancellationToken::new();
        let service = routes(Serving {
            shared,
            stop: stop.clone(),
        })
        .into_make_service_with_connect_info::<Hangup>();
        let serve = axum::serve(Door(listener), service)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            // It ends by `stop` only: accept errors are retried.
            let _ = serve.await;
        });
        Ok(Running { addr, stop, task })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(STOP_WITHIN, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What a handler is given.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) shared: Arc<Shared>,
    pub(super) stop: CancellationToken,
}

fn routes(serving: Serving) -> Router {
    Router::new()
        .route("/cgi-bin/stable_token", posted(post(stable_token)))
        .route("/cgi-bin/token", got(get(plain_token)))
        .route(
            "/cgi-bin/message/template/send",
            posted(post(template_send)),
        )
        .route("/cgi-bin/message/custom/send", posted(post(custom_send)))
        .route(
            "/cgi-bin/template/get_all_private_template",
            got(get(templates)),
        )
        .route("/cgi-bin/openapi/quota/get", posted(post(quota)))
        .route("/cgi-bin/qrcode/create", posted(post(code)))
        .merge(phone::routes())
        .with_state(serving)
}

fn posted(route: MethodRouter<Serving>) -> MethodRouter<Serving> {
    route.fallback(async |State(serving): State<Serving>| {
        serving.refuse(Refusal::new(43002, "require POST method"))
    })
}

fn got(route: MethodRouter<Serving>) -> MethodRouter<Serving> {
    route.fallback(async |State(serving): State<Serving>| {
        serving.refuse(Refusal::new(43001, "require GET method"))
    })
}

async fn stable_token(
    State(serving): State<Serving>,
    ConnectInfo(hangup): ConnectInfo<Hangup>,
    request: Request,
) -> Response {
    let body = match read(request).await {
        Ok((_, body)) => body,
        Err(response) => return response,
    };
    let parsed = parse::<StableTokenRequest>(&body);
    let (fault, body) = serving
        .hand_out(|account, now| parsed.and_then(|request| account.stable_token(&request, now)));
    serving.answer(fault, &hangup, body).await
}

async fn plain_token(
    State(serving): State<Serving>,
    ConnectInfo(hangup): ConnectInfo<Hangup>,
    request: Request,
) -> Response {
    let query = request.uri().query();
    let value = |name| query_value(query, name).unwrap_or("").to_owned();
    let (grant_type, appid, secret) = (value("grant_type"), value("appid"), value("secret"));
    let (fault, body) =
        serving.hand_out(|account, now| account.plain_token(&grant_type, &appid, &secret, now));
    serving.answer(fault, &hangup, body).await
}

async fn template_send(
    State(serving): State<Serving>,
    ConnectInfo(hangup): ConnectInfo<Hangup>,
    request: Request,
) -> Response {
    let received = serving.shared.now();
    let (query, body) = match read(request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let parsed = parse::<TemplateSend>(&body);
    let (send, fault) = match serving.admit(query.as_deref(), parsed) {
        Ok(admitted) => admitted,
        Err(refusal) => return serving.refuse(refusal),
    };
    let reply = serving.carry_out(send, fault, received);
    let body = serving.body_of(&reply);
    serving.answer(fault, &hangup, body).await
}

async fn custom_send(State(serving): State<Serving>, request: Request) -> Response {
    let received = serving.shared.now();
    let (query, body) = match read(request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let parsed = parse::<CustomSend>(&body);
    let now = serving.shared.now();
    let mut account = serving.shared.account();
    let result = account
        .check_token(token_in(query.as_deref()), now)
        .and(parsed)
        .and_then(|send| account.send_custom(send, received, now));
    drop(account);
    match result {
        Ok(()) => {
            serving.shared.changed.send_replace(());
            json_response(serving.body_of(&Reply::default()))
        }
        Err(refusal) => serving.refuse(refusal),
    }
}

async fn templates(State(serving): State<Serving>, request: Request) -> Response {
    let now = serving.shared.now();
    let account = serving.shared.account();
    let listing = account
        .check_token(token_in(request.uri().query()), now)
        .map(|()| {
            let templates: Vec<_> = account
                .templates()
                .iter()
                .map(|template| {
                    json!({
                        "template_id": template.id,
                        "title": template.title,
                        "primary_industry": "",
                        "deputy_industry": "",
                        "content": template.content(),
                        "example": "",
                    })
                })
                .collect();
            json!({ "template_list": templates }).to_string()
        });
    drop(account);
    match listing {
        Ok(body) => json_response(body),
        Err(refusal) => serving.refuse(refusal),
    }
}

/// Body of `POST /cgi-bin/openapi/quota/get`.
#[derive(serde::Deserialize)]
struct QuotaRequest {
    cgi_path: String,
}

async fn quota(State(serving): State<Serving>, request: Request) -> Response {
    let (query, body) = match read(request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let parsed = parse::<QuotaRequest>(&body);
    let now = serving.shared.now();
    let account = serving.shared.account();
    let quota = account
        .check_token(token_in(query.as_deref()), now)
        .and(parsed)
        .and_then(|request| {
            if request.cgi_path == "/cgi-bin/message/template/send" {
                Ok(account.template_quota(now))
            } else {
                Err(Refusal::new(76021, "cgi_path not found, please check"))
            }
        });
    drop(account);
    match quota {
        Ok((limit, used)) => json_response(
            json!({
                "errcode": 0,
                "errmsg": "ok",
                "quota": { "daily_limit": limit, "used": used, "remain": limit.saturating_sub(used) },
            })
            .to_string(),
        ),
        Err(refusal) => serving.refuse(refusal),
    }
}

async fn code(State(serving): State<Serving>, request: Request) -> Response {
    let (query, body) = match read(request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let parsed = parse::<CodeRequest>(&body);
    let now = serving.shared.now();
    let mut account = serving.shared.account();
    let made = account
        .check_token(token_in(query.as_deref()), now)
        .and(parsed)
        .and_then(|request| account.make_code(request, now));
    drop(account);
    match made {
        Ok(code) => {
            serving.shared.has_changed();
            json_response(
                json!({
                    "ticket": code.ticket,
                    "expire_seconds": code.expires.duration_since(now).as_secs(),
                    "url": format!("http://weixin.qq.com/q/{}", code.ticket),
                })
                .to_string(),
            )
        }
        Err(refusal) => serving.refuse(refusal),
    }
}

impl Serving {
    /// Judges the token and the body of a template send, and says which fault is due.
    fn admit(
        &self,
        query: Option<&str>,
        parsed: Result<TemplateSend, Refusal>,
    ) -> Result<(TemplateSend, Fault), Refusal> {
        let now = self.shared.now();
        let mut account = self.shared.account();
        account.check_token(token_in(query), now)?;
        let send = parsed?;
        let nth = self.shared.sends.fetch_add(1, Ordering::Relaxed) + 1;
        let queued = account.queued_faults.pop_front();
        let script = account.faults.send_script();
        // The script runs without the lock: it may look at the sandbox.
        drop(account);
        let fault = match (queued, script) {
            (Some(fault), _) => fault,
            (None, Some(script)) => script(&send, nth),
            (None, None) => Fault::None,
        };
        Ok((send, fault))
    }

    /// Does what a template send asks for, as far as the fault lets it, and remembers the try.
    fn carry_out(&self, send: TemplateSend, fault: Fault, received: Timestamp) -> Reply {
        let now = self.shared.now();
        let mut account = self.shared.account();
        account.counts.faults += u64::from(fault != Fault::None);
        let (touser, client_msg_id) = (send.touser.clone(), send.client_msg_id.clone());
        let (reply, outcome) = if fault.carries_out() {
            match account.send_template(send, received, now) {
                Ok(Taken { msgid, duplicate }) => (
                    Reply {
                        errcode: 0,
                        errmsg: String::new(),
                        msgid: Some(msgid),
                    },
                    if duplicate {
                        Outcome::Duplicate
                    } else {
                        Outcome::Delivered
                    },
                ),
                Err(refusal) => {
                    let outcome = Outcome::Refused(refusal.code);
                    (account.refuse(refusal), outcome)
                }
            }
        } else {
            (Reply::default(), Outcome::Ignored)
        };
        let reported = match (outcome, reply.msgid, self.shared.callback()) {
            (Outcome::Delivered, Some(msgid), Some(callback)) => Some((msgid, callback.report)),
            _ => None,
        };
        let openid = touser.clone();
        account.note(|| Attempt {
            received,
            touser,
            client_msg_id,
            fault,
            outcome,
        });
        drop(account);
        self.shared.changed.send_replace(());
        if let Some((msgid, report)) = reported.filter(|(_, report)| *report != Report::Never) {
            self.shared
                .push(&openid, Push::Report(msgid, report), msgid);
        }
        reply
    }

    /// Does what a request for a token asks for, as far as the fault lets it: the fault, and the
    /// body of the answer.
    fn hand_out(
        &self,
        desk: impl FnOnce(&mut Account, Timestamp) -> Result<(Arc<str>, i64), Refusal>,
    ) -> (Fault, String) {
        let now = self.shared.now();
        let nth = self.shared.token_requests.fetch_add(1, Ordering::Relaxed) + 1;
        let script = self.shared.account().faults.clone();
        let fault = script.of_token(nth);
        let mut account = self.shared.account();
        account.counts.faults += u64::from(fault != Fault::None);
        let body = match fault.carries_out().then(|| desk(&mut account, now)) {
            Some(Ok((token, left))) => {
                json!({ "access_token": &*token, "expires_in": left }).to_string()
            }
            Some(Err(refusal)) => self.body_of(&account.refuse(refusal)),
            None => String::new(),
        };
        drop(account);
        self.shared.changed.send_replace(());
        (fault, body)
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let reply = self.shared.account().refuse(refusal);
        self.shared.changed.send_replace(());
        json_response(self.body_of(&reply))
    }

    /// Answers as the fault wants it; `body` is what the answer would be without.
    async fn answer(&self, fault: Fault, hangup: &Hangup, body: String) -> Response {
        let body = match fault {
            Fault::Errcode(errcode) | Fault::ErrcodeAfter(errcode) => {
                let errmsg = "scripted".to_owned();
                self.body_of(&Reply {
                    errcode,
                    errmsg,
                    msgid: None,
                })
            }
            _ => body,
        };
        answer(fault, hangup, &self.stop, body).await
    }

    /// The reply as the platform writes it: "ok" or, where it is refused, words that end in the
    /// id of the request.
    fn body_of(&self, reply: &Reply) -> String {
        let errmsg = if reply.errcode == 0 {
            "ok".to_owned()
        } else {
            let nth = self.shared.refusals.fetch_add(1, Ordering::Relaxed);
            let second = self.shared.now().as_second() as u32;
            let words = &reply.errmsg;
            format!(
                "{words} rid: {second:08x}-{:08x}-{:08x}",
                (nth >> 32) as u32,
                nth as u32
            )
        };
        let mut body = json!({ "errcode": reply.errcode, "errmsg": errmsg });
        if let Some(msgid) = reply.msgid {
            body["msgid"] = msgid.into();
        }
        body.to_string()
    }
}

/// The query and the body of a request.
async fn read(request: Request) -> Result<(Option<String>, Bytes), Response> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().map(str::to_owned);
    match axum::body::to_bytes(body, BODY_BYTES).await {
        Ok(body) => Ok((query, body)),
        Err(_) => Err(html_response(413)),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    if body.is_empty() {
        return Err(Refusal::new(44002, "empty post data"));
    }
    if has_escaped_text(body) {
        return Err(Refusal::new(
            40033,
            "invalid charset. please check your request, if include \\uxxxx will create fail!",
        ));
    }
    serde_json::from_slice(body).map_err(|_| Refusal::new(47001, "data format error"))
}

/// Whether text stands in the body as `\uXXXX` that need not: the platform wants it as UTF-8.
/// Control characters cannot be written otherwise and are judged as values.
fn has_escaped_text(body: &[u8]) -> bool {
    let mut rest = body;
    while let Some(at) = rest.iter().position(|&b| b == b'\\') {
        let escape = &rest[at + 1..];
        if let [b'u', digits @ ..] = escape
            && digits
                .get(..4)
                .is_some_and(|digits| !digits.starts_with(b"00"))
        {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

fn token_in(query: Option<&str>) -> Option<&str> {
    query_value(query, "access_token")
}

/// The first value of that name. Nothing in these queries needs percent-encoding.
fn query_value<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}
