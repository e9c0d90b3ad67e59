//! The administration socket: HTTP/JSON over a Unix socket that only the daemon's user can open.

use crate::engine::Role;
use crate::plan::Language;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// Something that a tool on this machine asks of the daemon.
pub enum Request {
    /// Read configuration and plans again.
    Reload {
        /// Apply also a removal of many plans at once.
        accept_removals: bool,
        /// Where the answer goes.
        answer: oneshot::Sender<Reloaded>,
    },
    /// Take the clock as right although it is not plausible.
    AcceptClock {
        /// Where the answer goes.
        answer: oneshot::Sender<Released>,
    },
    /// Make a code by whose scan a contact is bound.
    Enrol {
        /// For whom.
        request: EnrolRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<Enrolled>,
    },
    /// Give advice.
    Say {
        /// What, and to whom.
        request: SayRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<Said>,
    },
    /// Take a patient off the call list.
    EndCall {
        /// Whom, and what came of it.
        request: EndCallRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<CallEnded>,
    },
    /// Make, change or end an account of the pages.
    ChangeAccount {
        /// Whose, and what is to become of it.
        request: AccountRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<AccountChanged>,
    },
    /// Erase a patient.
    Erase {
        /// Whom.
        request: EraseRequest,
        /// Where the answer goes.
        answer: oneshot::Sender<EraseEnded>,
    },
    /// Go on sending although much was sent within an hour.
    Resume {
        /// Where the answer goes.
        answer: oneshot::Sender<Released>,
    },
}

/// What came of asking for a hold to be released.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Released {
    /// Sending was held for that, and is not any more.
    pub released: bool,
}

/// Body of `POST /enrol`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The patient's id.
    pub patient: String,
    /// The id of one of the patient's caregivers; absent for the patient.
    #[serde(default)]
    pub caregiver: Option<String>,
    /// How long the code is valid.
    pub valid_seconds: u32,
}

/// What came of asking for a code. Whoever holds its address can bind themselves: `Debug` is not
/// derived.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Enrolled {
    /// The code.
    Made {
        /// The address to draw.
        url: String,
        /// Until when it is valid.
        expires: jiff::Timestamp,
    },
    /// There is no plan of this patient.
    NoPatient,
    /// The plan names no such caregiver.
    NoCaregiver {
        /// Those that it names.
        known: Vec<String>,
    },
    /// Nobody could scan it: nothing comes back from the channel.
    NoAnswers {
        /// Why.
        why: String,
    },
    /// The messaging API gave none.
    Unavailable {
        /// Why.
        why: String,
    },
    /// The store failed.
    Failed {
        /// Why.
        why: String,
    },
}

/// To whom advice is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SayTo {
    /// The patient with this id.
    Patient(String),
    /// Everybody with a plan in force.
    All,
    /// Everybody who takes this medication, by its id or its name.
    Taking(String),
}

/// Body of `POST /say`. `Debug` is not derived: it is medical data.
#[derive(Serialize, Deserialize)]
pub struct SayRequest {
    /// To whom.
    pub to: SayTo,
    /// The words.
    pub text: String,
    /// Only say how many patients are meant.
    #[serde(default)]
    pub count_only: bool,
}

/// What came of advice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Said {
    /// How many patients are meant.
    pub patients: usize,
    /// To how many of them a message goes.
    pub sent: usize,
    /// How many somebody has to ring, because no message can go to them.
    pub to_call: usize,
    /// Why it went no further than that; `None` when it went to everybody.
    pub failed: Option<String>,
}

/// Body of `POST /calls/done`. `Debug` is not derived: it is medical data.
#[derive(Serialize, Deserialize)]
pub struct EndCallRequest {
    /// The patient's id.
    pub patient: String,
    /// The name of one reason; absent for all.
    #[serde(default)]
    pub reason: Option<String>,
    /// What came of it; may be empty.
    #[serde(default)]
    pub note: String,
}

/// What came of taking a patient off the call list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum CallEnded {
    /// They are off it.
    Done {
        /// The names of the reasons for which they were on it.
        reasons: Vec<String>,
    },
    /// They are not on it, or not for that reason.
    NotListed,
    /// There never was a plan of this patient.
    NoPatient,
    /// There is no such reason.
    NoReason {
        /// Those that there are.
        known: Vec<String>,
    },
    /// The store failed.
    Failed {
        /// Why.
        why: String,
    },
}

/// Body of `POST /accounts`. `Debug` is not derived: it holds a password.
#[derive(Serialize, Deserialize)]
pub struct AccountRequest {
    /// The account's name.
    pub name: String,
    /// What is to become of it.
    pub change: AccountWish,
}

/// What is to become of an account.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountWish {
    /// It is made.
    Add {
        /// What it may do.
        role: Role,
        /// The language of its pages.
        #[serde(default)]
        language: Option<Language>,
        /// Its password.
        password: String,
    },
    /// It gets another password: whoever is signed in with the old one is signed out.
    Password {
        /// The new one.
        password: String,
    },
    /// It ends: whoever is signed in with it is signed out.
    Remove,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum AccountChanged {
    /// It was done.
    Done,
    /// There is such an account already.
    Exists,
    /// There is no such account.
    NoAccount,
    /// The store failed.
    Failed {
        /// Why.
        why: String,
    },
}

/// Body of `POST /erase`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EraseRequest {
    /// The patient's id.
    pub patient: String,
    /// The journal goes, too; else only words and names in it.
    #[serde(default)]
    pub all: bool,
}

/// What came of erasing a patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum EraseEnded {
    /// They are erased.
    Done {
        /// The id by which what is left is known.
        known_as: String,
        /// Texts of plans that were removed.
        texts: u64,
        /// Rows of the journal that were removed, or that name nobody any more.
        journal: u64,
        /// Contacts that were removed, each with its talk.
        contacts: u64,
        /// Contacts that stay, because they answer for others or are staff.
        contacts_kept: u64,
        /// Other rows that were removed.
        rows: u64,
    },
    /// There is no such patient.
    NoPatient,
    /// Their plan is in force.
    InForce,
    /// Messages of theirs are not settled.
    UnderWay {
        /// How many.
        messages: usize,
    },
    /// The store failed.
    Failed {
        /// Why.
        why: String,
    },
}

/// Body of `POST /reload`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReloadRequest {
    /// Apply also a removal of many plans at once.
    #[serde(default)]
    pub accept_removals: bool,
}

/// What a reload did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// Why nothing was applied; `None` if it was.
    pub refused: Option<String>,
    /// Plans whose meaning changed.
    pub changed: usize,
    /// Plans of which only the text changed.
    pub reworded: usize,
    /// Plans that ended.
    pub ended: usize,
    /// Plans rejected for errors.
    pub rejected: usize,
    /// Plans whose removal waits to be accepted.
    pub held_removals: usize,
    /// Configuration keys that changed and need a restart.
    pub restart_needed: Vec<String>,
}

/// The routes of the administration socket.
pub(super) fn router(requests: mpsc::Sender<Request>) -> Router {
    Router::new()
        .route("/reload", post(reload))
        .route("/clock/accept", post(accept_clock))
        .route("/resume", post(resume))
        .route("/enrol", post(enrol))
        .route("/say", post(say))
        .route("/calls/done", post(end_call))
        .route("/accounts", post(change_account))
        .route("/erase", post(erase))
        .with_state(requests)
}

async fn reload(
    State(requests): State<mpsc::Sender<Request>>,
    Json(body): Json<ReloadRequest>,
) -> Result<Json<Reloaded>, StatusCode> {
    let accept_removals = body.accept_removals;
    ask(&requests, |answer| Request::Reload {
        accept_removals,
        answer,
    })
    .await
}

async fn accept_clock(
    State(requests): State<mpsc::Sender<Request>>,
) -> Result<Json<Released>, StatusCode> {
    ask(&requests, |answer| Request::AcceptClock { answer }).await
}

async fn resume(
    State(requests): State<mpsc::Sender<Request>>,
) -> Result<Json<Released>, StatusCode> {
    ask(&requests, |answer| Request::Resume { answer }).await
}

async fn enrol(
    State(requests): State<mpsc::Sender<Request>>,
    Json(request): Json<EnrolRequest>,
) -> Result<Json<Enrolled>, StatusCode> {
    ask(&requests, |answer| Request::Enrol { request, answer }).await
}

async fn say(
    State(requests): State<mpsc::Sender<Request>>,
    Json(request): Json<SayRequest>,
) -> Result<Json<Said>, StatusCode> {
    ask(&requests, |answer| Request::Say { request, answer }).await
}

async fn end_call(
    State(requests): State<mpsc::Sender<Request>>,
    Json(request): Json<EndCallRequest>,
) -> Result<Json<CallEnded>, StatusCode> {
    ask(&requests, |answer| Request::EndCall { request, answer }).await
}

async fn change_account(
    State(requests): State<mpsc::Sender<Request>>,
    Json(request): Json<AccountRequest>,
) -> Result<Json<AccountChanged>, StatusCode> {
    ask(&requests, |answer| Request::ChangeAccount {
        request,
        answer,
    })
    .await
}

async fn erase(
    State(requests): State<mpsc::Sender<Request>>,
    Json(request): Json<EraseRequest>,
) -> Result<Json<EraseEnded>, StatusCode> {
    ask(&requests, |answer| Request::Erase { request, answer }).await
}

async fn ask<T>(
    requests: &mpsc::Sender<Request>,
    request: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Result<Json<T>, StatusCode> {
    let (answer, answered) = oneshot::channel();
    requests
        .send(request(answer))
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    answered
        .await
        .map(Json)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}
