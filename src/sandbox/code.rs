//! QR codes that an account made, until they expire.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// Codes remembered; the oldest are forgotten first.
const REMEMBERED: usize = 1000;
/// Longest life of a temporary code, in seconds.
const LIFE_MAX: i64 = 30 * 24 * 3600;
/// Life of a code that names none, in seconds.
const LIFE_DEFAULT: i64 = 60;
/// Characters of a scene.
const SCENE_MAX: usize = 64;

/// Body of `POST /cgi-bin/qrcode/create`, temporary codes with a text only.
#[derive(Deserialize)]
pub(super) struct CodeRequest {
    #[serde(default)]
    pub expire_seconds: Option<i64>,
    #[serde(default)]
    pub action_name: String,
    #[serde(default)]
    pub action_info: ActionInfo,
}

#[derive(Default, Deserialize)]
pub(super) struct ActionInfo {
    #[serde(default)]
    pub scene: Scene,
}

#[derive(Default, Deserialize)]
pub(super) struct Scene {
    #[serde(default)]
    pub scene_str: String,
}

/// A code that can be scanned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The account's own word in it.
    pub scene: String,
    /// The platform's.
    pub ticket: String,
    /// When it stops working.
    pub expires: Timestamp,
}

/// The codes of an account, oldest first.
#[derive(Default)]
pub(super) struct Codes {
    made: Vec<Code>,
    count: u64,
}

/// Why there is no code.
pub(super) enum BadCode {
    ActionName,
    ActionInfo,
}

impl Codes {
    pub(super) fn make(&mut self, request: CodeRequest, now: Timestamp) -> Result<&Code, BadCode> {
        if request.action_name != "QR_STR_SCENE" {
            return Err(BadCode::ActionName);
        }
        let scene = request.action_info.scene.scene_str;
        if scene.is_empty() || scene.chars().count() > SCENE_MAX {
            return Err(BadCode::ActionInfo);
        }
        // What the platform says to an impossible life is not documented: it is brought into bounds.
        let life = request.expire_seconds.unwrap_or(LIFE_DEFAULT);
        let life = SignedDuration::from_secs(life.clamp(1, LIFE_MAX));
        if self.made.len() == REMEMBERED {
            self.made.remove(0);
        }
        self.count += 1;
        let at = self.made.len();
        self.made.push(Code {
            scene,
            ticket: format!("gQSandbox{:016x}==", self.count),
            expires: now.checked_add(life).unwrap_or(Timestamp::MAX),
        });
        Ok(&self.made[at])
    }

    /// Those that work now, newest first.
    pub(super) fn working(&self, now: Timestamp) -> impl Iterator<Item = &Code> {
        self.made
            .iter()
            .rev()
            .filter(move |code| now < code.expires)
    }
}
