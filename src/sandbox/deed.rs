//! What somebody does on their phone: what it changes here, and what it pushes.

use super::account::Act;
use super::push::Push;
use super::server::Shared;
use std::sync::Arc;

/// What somebody does.
pub(super) enum Deed {
    /// Follows the account.
    Follow,
    /// Follows it no more.
    Unfollow,
    /// Writes a text.
    Write(String),
    /// Taps an item of a menu message.
    Tap { id: String, content: String },
    /// Scans a code, by its ticket.
    Scan(String),
}

impl Shared {
    /// Does it, as somebody; false if it cannot be done: who does not follow cannot write, and what
    /// is no code cannot be scanned.
    pub(super) fn do_as(self: &Arc<Self>, openid: &str, deed: Deed) -> bool {
        let now = self.now();
        let mut account = self.account();
        let follows = account.follows(openid);
        let (push, own) = match deed {
            Deed::Follow => {
                account.follow(openid, now);
                (Push::Subscribe(None), None)
            }
            Deed::Unfollow if follows => {
                account.unfollow(openid);
                (Push::Unsubscribe, None)
            }
            Deed::Write(text) if follows => {
                account.act(openid, Act::Writes, now);
                (Push::Text(text.clone()), Some(text))
            }
            Deed::Tap { id, content } if follows => {
                account.act(openid, Act::TapsMenu, now);
                let own = Some(content.clone());
                (Push::Tap { id, content }, own)
            }
            Deed::Scan(ticket) => {
                let Some(code) = account.codes(now).find(|code| code.ticket == ticket) else {
                    return false;
                };
                let (scene, ticket) = (code.scene.clone(), code.ticket.clone());
                if follows {
                    account.act(openid, Act::Scans, now);
                    (Push::Scan(scene, ticket), None)
                } else {
                    account.follow(openid, now);
                    (Push::Subscribe(Some((scene, ticket))), None)
                }
            }
            Deed::Unfollow | Deed::Write(_) | Deed::Tap { .. } => return false,
        };
        let msgid = match own {
            Some(text) => account.wrote(openid, &text, now),
            None => Some(account.take_msgid()),
        };
        drop(account);
        self.has_changed();
        if let Some(msgid) = msgid {
            self.push(openid, push, msgid);
        }
        true
    }
}
