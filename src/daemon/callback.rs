//! The callback address between the HTTP listener and the account's reception.

use crate::http::callback::{Answer, Callback, Pairs};
use crate::messaging::wechat::callback::{self as wechat, Reception};
use bytes::Bytes;
use futures_util::future::BoxFuture;

impl Callback for Reception {
    fn greet(&self, query: Pairs) -> Option<String> {
        // Why not is logged there.
        Reception::greet(self, &query).ok()
    }

    fn receive(&self, query: Pairs, body: Bytes) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match Reception::receive(self, &query, &body).await {
                wechat::Answer::Taken(said) => Answer::Taken(said),
                wechat::Answer::Refused(_) => Answer::Refused,
                wechat::Answer::Unavailable => Answer::Unavailable,
            }
        })
    }

    fn unread(&self) {
        Reception::unread(self);
    }
}
