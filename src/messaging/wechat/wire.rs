//! Bodies as they go over the wire: <https://developers.weixin.qq.com/doc/service/>.

pub mod xml;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Body of `POST /cgi-bin/stable_token`.
#[derive(Serialize, Deserialize)]
pub struct StableTokenRequest {
    /// Always `client_credential`.
    #[serde(default)]
    pub grant_type: String,
    /// The account.
    #[serde(default)]
    pub appid: String,
    /// Its secret.
    #[serde(default)]
    pub secret: String,
    /// Kill the present token and issue a new one; at most 20 a day.
    #[serde(default)]
    pub force_refresh: bool,
}

/// Reply of `stable_token` when it succeeds.
#[derive(Serialize, Deserialize)]
pub struct TokenReply {
    /// At least 512 characters must be held.
    pub access_token: String,
    /// Seconds of life left, at most 7200.
    pub expires_in: i64,
}

/// Body of `POST /cgi-bin/message/template/send`.
#[derive(Serialize, Deserialize)]
pub struct TemplateSend {
    /// The recipient's openid.
    #[serde(default)]
    pub touser: String,
    /// The template of the account.
    #[serde(default)]
    pub template_id: String,
    /// Where a tap leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Keyword name (without `.DATA`) to value.
    #[serde(default)]
    pub data: BTreeMap<String, Value>,
    /// Dedupe key: the same recipient and key within 10 minutes is sent once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_msg_id: Option<String>,
}

/// A keyword's value.
#[derive(Serialize, Deserialize)]
pub struct Value {
    /// The text.
    pub value: String,
}

/// Body of `POST /cgi-bin/message/custom/send`, text only.
#[derive(Serialize, Deserialize)]
pub struct CustomSend {
    /// The recipient's openid.
    #[serde(default)]
    pub touser: String,
    /// `text`.
    pub msgtype: String,
    /// The text.
    pub text: CustomText,
}

/// Text of a custom message, at most 2048 bytes.
#[derive(Serialize, Deserialize)]
pub struct CustomText {
    /// What is said.
    pub content: String,
}

/// Reply of every call: an error comes as HTTP 200 with an `errcode` other than 0.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reply {
    /// 0 or absent is success.
    #[serde(default)]
    pub errcode: i64,
    /// For people; ends in a request id; never matched on.
    #[serde(default)]
    pub errmsg: String,
    /// Of a template message; joins the delivery report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msgid: Option<i64>,
}
