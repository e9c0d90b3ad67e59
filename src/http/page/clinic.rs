//! What the pages may ask of the daemon: a handle, and views that hold no type of the store.

use crate::engine::Role;
use crate::http::health::Health;
use crate::plan::{Language, Zone};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::time::Duration;

/// What the pages may ask. Whoever stands behind it reads on threads where it may wait, and gives
/// no more than a page's worth at once.
pub trait Clinic: Send + Sync + 'static {
    /// The clinic's name; may be empty.
    fn name(&self) -> String;
    /// The clinic's zone and its language.
    fn manners(&self) -> (Zone, Language);
    /// The clock.
    fn now(&self) -> Timestamp;
    /// Steady time, for the ages of sessions.
    fn elapsed(&self) -> Duration;

    /// Whether there is any account: without one the pages are off.
    fn is_open(&self) -> bool;
    /// The account of this name.
    fn account(&self, name: &str) -> Option<Account>;
    /// The account of this name, if that is its password. Takes the same time for a name that
    /// nobody has; one is looked at at a time.
    fn sign_in(&self, name: String, password: String) -> BoxFuture<'_, Option<Account>>;
    /// Keeps that somebody saw or did something. Returns at once; it is durable a moment later.
    fn note(&self, deed: Deed);
    /// Counts.
    fn count(&self, event: Event);

    /// How the daemon is.
    fn health(&self) -> Health;
}

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The language that was chosen for them.
    pub language: Option<Language>,
    /// Changes when the password does: whoever signed in with the old one is signed out.
    pub stamp: [u8; 16],
}

/// Something that somebody saw or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The name of the account.
    pub account: String,
    /// What: the route's word.
    pub what: &'static str,
    /// The id of the patient whom it concerns.
    pub patient: Option<String>,
    /// What came of it; empty where it only was seen.
    pub outcome: &'static str,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody signed in.
    SignedIn,
    /// The password was wrong, or nobody has that name.
    WrongPassword,
    /// Too many tries: the password was not looked at.
    TooManyTries,
    /// Nobody is signed in.
    SignedOut,
    /// The account may not do that.
    NotAllowed,
    /// The request did not come from a page of ours.
    Forged,
    /// The request is longer than any of ours.
    TooLong,
    /// The body did not come.
    TooSlow,
    /// There is no such page, or no such patient.
    NotFound,
}

impl Event {
    /// All of them.
    pub const ALL: [Event; 9] = [
        Event::SignedIn,
        Event::WrongPassword,
        Event::TooManyTries,
        Event::SignedOut,
        Event::NotAllowed,
        Event::Forged,
        Event::TooLong,
        Event::TooSlow,
        Event::NotFound,
    ];

    /// The name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Event::SignedIn => "signed_in",
            Event::WrongPassword => "wrong_password",
            Event::TooManyTries => "too_many_tries",
            Event::SignedOut => "signed_out",
            Event::NotAllowed => "not_allowed",
            Event::Forged => "forged",
            Event::TooLong => "too_long",
            Event::TooSlow => "too_slow",
            Event::NotFound => "not_found",
        }
    }
}
