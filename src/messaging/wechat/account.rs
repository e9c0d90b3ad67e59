//! What the account itself says: whether a token is given, and which templates it has.
//!
//! One token in normal mode, which is the one that a running daemon has too, and one list: nobody's
//! token is taken away, and no quota of messages is touched.

use super::answer::{Answer, Fault};
use super::{WeChat, fault_verdict, refusal_verdict};
use crate::messaging::Verdict;
use jiff::Timestamp;

const TEMPLATE_LIST: &str = "template/get_all_private_template";

/// A template as the account has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTemplate {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The names of its fields, without `.DATA`, in the order of the card.
    pub fields: Vec<String>,
}

/// What the account says.
pub struct Account {
    /// Its templates, or why they are not known.
    pub templates: Result<Vec<AccountTemplate>, AccountError>,
    /// The API's clock, where it told it.
    pub clock: Option<Timestamp>,
}

/// Which of the two questions was refused.
#[derive(Clone, Debug)]
pub enum AccountError {
    /// No token is given.
    Token(Box<Verdict>),
    /// The list is not given.
    List(Box<Verdict>),
}

impl WeChat {
    /// Asks for a token and for the account's templates. Nothing is tried twice.
    pub async fn account(&self, now: Timestamp) -> Account {
        let refused = |templates| Account {
            templates: Err(templates),
            clock: None,
        };
        let token = match self.tokens.current().await {
            Ok(token) => token,
            Err(refusal) => return refused(AccountError::Token(Box::new(refusal.verdict(now)))),
        };
        let listed = match token.call(TEMPLATE_LIST) {
            Ok(url) => self.http.get(url).await,
            Err(fault) => Err(fault),
        };
        match listed {
            Err(fault) => refused(AccountError::List(Box::new(fault_verdict(fault, now)))),
            Ok((answer, clock)) => Account {
                templates: read(&answer, now).map_err(AccountError::List),
                clock,
            },
        }
    }
}

fn read(answer: &Answer, now: Timestamp) -> Result<Vec<AccountTemplate>, Box<Verdict>> {
    if let Some(code) = answer.errcode().filter(|code| *code != 0) {
        return Err(Box::new(refusal_verdict(code, answer, now, 0)));
    }
    let list = answer.template_list();
    list.ok_or_else(|| Box::new(fault_verdict(Fault::Unreadable, now)))
}

/// The names of the fields in a template's content: `{{thing1.DATA}}`.
pub(super) fn fields(content: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = content;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        if let Some(name) = name.trim().strip_suffix(".DATA") {
            fields.push(name.to_owned());
        }
        rest = after;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_a_content_as_the_platform_writes_it() {
        for (content, expected) in [
            (
                "患者：{{thing1.DATA}}\n时间：{{time2.DATA}}\n",
                vec!["thing1", "time2"],
            ),
            ("{{first.DATA}}{{ remark.DATA }}", vec!["first", "remark"]),
            ("{{thing1}} {{thing2.DATA", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(fields(content), expected, "{content}");
        }
    }

    #[test]
    fn a_list_is_read_and_what_is_none_is_no_empty_list() {
        let now = Timestamp::UNIX_EPOCH;
        let answer = |body: &str| {
            Answer::read(200, body.as_bytes())
                .ok()
                .map(|it| read(&it, now))
        };
        let body = r#"{"template_list":[{"template_id":"T1","title":"用药提醒",
            "content":"患者：{{thing1.DATA}}\n","example":""},{"title":"no id"}]}"#;
        let expected = AccountTemplate {
            id: "T1".to_owned(),
            title: "用药提醒".to_owned(),
            fields: vec!["thing1".to_owned()],
        };
        assert_eq!(answer(body).unwrap().unwrap(), [expected]);
        assert_eq!(answer(r#"{"template_list":[]}"#).unwrap().unwrap(), []);
        assert!(answer(r#"{"hello":1}"#).unwrap().is_err());
        let refused = answer(r#"{"errcode":48001,"errmsg":"api unauthorized"}"#);
        assert_eq!(refused.unwrap().unwrap_err().errcode, Some(48001));
    }
}
