//! QR codes that tell who scanned them.
//!
//! Source: `POST /cgi-bin/qrcode/create` of the Official Account API, temporary codes with a text.

use super::{WeChat, call, fault_verdict};
use crate::messaging::wechat::answer::Fault;
use crate::messaging::{Secret, Verdict};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// Most characters of a scene.
pub const SCENE_LENGTH_MAX: usize = 64;
/// Longest life that the API gives a temporary code.
const LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// A code that can be scanned. `Debug` says nothing of it: whoever holds it can bind themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// For the platform's own picture of it.
    pub ticket: Secret,
    /// The address to draw as a code.
    pub url: Secret,
    /// How long it works.
    pub expires_in: Duration,
}

#[derive(Serialize)]
struct Request<'a> {
    expire_seconds: u64,
    action_name: &'static str,
    action_info: ActionInfo<'a>,
}

#[derive(Serialize)]
struct ActionInfo<'a> {
    scene: Scene<'a>,
}

#[derive(Serialize)]
struct Scene<'a> {
    scene_str: &'a str,
}

impl WeChat {
    /// Makes a code whose scan tells the account `scene`, 1 to [`SCENE_LENGTH_MAX`] characters: a
    /// secret to be used once, never a patient's id, since it travels over a picture. `life` is
    /// brought into what the API takes, a second to thirty days.
    ///
    /// A code more than wanted harms nobody, so this may be tried again whatever came of it.
    ///
    /// # Errors
    /// The API refuses, or does not answer.
    pub async fn create_code(
        &self,
        scene: &Secret,
        life: Duration,
        now: Timestamp,
    ) -> Result<Code, Verdict> {
        let request = Request {
            expire_seconds: life.min(LIFE_MAX).as_secs().max(1),
            action_name: "QR_STR_SCENE",
            action_info: ActionInfo {
                scene: Scene {
                    scene_str: scene.expose(),
                },
            },
        };
        // A struct of texts and numbers always is JSON.
        let body = serde_json::to_vec(&request).unwrap_or_default();
        let answer = self
            .call(call::CODE_CREATE, body.into(), None, now, 0)
            .await?;
        let asked = request.expire_seconds;
        let code = answer.code().map(|(ticket, url, seconds)| Code {
            ticket,
            url,
            // The member is left out at times; nothing then says otherwise.
            expires_in: Duration::from_secs(seconds.unwrap_or(asked).min(asked)),
        });
        code.ok_or_else(|| fault_verdict(Fault::Unreadable, now))
    }
}
