//! The API's return codes as data: what each means, and what to do about it.
//!
//! Source: the return codes of the WeChat Official Account server API
//! (<https://developers.weixin.qq.com/doc/service/>), and what its community met in practice.

use crate::messaging::Outcome;
use jiff::{SignedDuration, Timestamp};

/// What a return code calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Taken.
    Success,
    /// The API erred; it may have taken the message all the same.
    SystemError,
    /// The quota of this minute is used up, for everybody.
    MinuteQuota,
    /// The quota of this day is used up, for everybody.
    DayQuota,
    /// Too many messages to this recipient.
    RecipientFrequency,
    /// The access token is not (or no longer) valid.
    Token,
    /// This recipient cannot be sent to until they, or their account, act.
    Recipient,
    /// This message is refused for what it holds.
    Message,
    /// The template is not usable.
    Template,
    /// As [`Class::Template`], but seen now and then for templates that are in order.
    TemplateUnsteady,
    /// The account, its secret or its permissions: nothing can be sent until an operator acts.
    Configuration,
    /// A code that is not in the table.
    Unlisted,
}

/// One return code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The code.
    pub code: i64,
    /// The code as a label of metrics.
    pub label: &'static str,
    /// What it calls for when a message is sent.
    pub class: Class,
    /// What it means, for an operator.
    pub sentence: &'static str,
}

macro_rules! rows {
    ($($code:literal $class:ident $sentence:literal;)*) => {
        /// All codes known, in ascending order.
        pub const ROWS: &[Row] = &[
            $(Row {
                code: $code,
                label: stringify!($code),
                class: Class::$class,
                sentence: $sentence,
            },)*
        ];
        /// The labels under which return codes are counted; 0 is none of them.
        pub const LABELS: &[&str] = &[$(stringify!($code),)* OTHER];
    };
}

/// The label of all codes that are not in the table.
pub const OTHER: &str = "other";

rows! {
    -1 SystemError "the API had an internal error";
    40001 Token "the access token (or the AppSecret) is not valid";
    40002 Configuration "the grant type is not valid";
    40003 Recipient "the openid does not belong to this account";
    40008 Message "the message type is not valid";
    40013 Configuration "the AppID is not valid";
    40014 Token "the access token is not valid";
    40016 Message "the number of menu buttons is not valid";
    40017 Message "the type of a menu button is not valid";
    40018 Message "the name of a menu button has a wrong length";
    40019 Message "the key of a menu button has a wrong length";
    40020 Message "the URL of a menu button has a wrong length";
    40021 Message "the menu version is not valid";
    40022 Message "the number of submenu levels is not valid";
    40023 Message "the number of submenu buttons is not valid";
    40024 Message "the type of a submenu button is not valid";
    40025 Message "the name of a submenu button has a wrong length";
    40026 Message "the key of a submenu button has a wrong length";
    40027 Message "the URL of a submenu button has a wrong length";
    40033 Message "the request holds characters the API refuses (\\u escapes)";
    40035 Message "an argument is not valid";
    40036 Template "the template id is empty or has a wrong length";
    40037 TemplateUnsteady "the template id is not known to this account";
    40038 Message "the request format is not valid";
    40039 Message "the URL has a wrong length";
    40052 Message "the QR code's action name is not valid";
    40053 Message "the QR code's action info is not valid";
    40066 Message "the URL is not valid";
    40092 Message "the user information to import is not valid";
    40097 Message "an argument is missing or not valid";
    40125 Configuration "the AppSecret is not valid";
    40164 Configuration "this machine's IP address is not on the account's allow-list";
    40165 Message "the mini program's page path is not valid";
    40243 Configuration "the AppSecret is frozen";
    41001 Token "the access token is missing from the request";
    41002 Configuration "the AppID is missing from the request";
    41004 Configuration "the AppSecret is missing from the request";
    41009 Message "the openid is missing from the request";
    41030 Message "the page is not valid";
    42001 Token "the access token has expired";
    43001 Configuration "the API wants GET for this call";
    43002 Configuration "the API wants POST for this call";
    43003 Configuration "the API wants HTTPS for this call";
    43004 Recipient "the recipient does not follow the account";
    43019 Recipient "the recipient is on the account's blacklist";
    43101 Recipient "the recipient refuses messages of this account";
    43102 Template "the template is of the wrong kind for this call";
    43116 Template "the template is banned";
    43117 RecipientFrequency "too many messages to this recipient";
    44002 Message "the request has an empty body";
    44004 Message "the text is empty";
    45002 Message "the text is too long";
    45009 DayQuota "the daily quota of this call is used up";
    45011 MinuteQuota "too many calls in this minute";
    45013 Message "a template has too many arguments";
    45014 Message "a template argument is too large";
    45015 Recipient "the recipient has not written within 48 hours, or has unfollowed";
    45029 Message "too many QR codes";
    45035 Configuration "this machine's IP address is not on the account's allow-list";
    45047 Recipient "too many custom messages since the recipient last acted";
    45056 Message "too many user tags";
    45057 Message "the tag has too many users";
    45058 Message "the tag is one of the system's";
    45059 Message "the user has too many tags";
    45157 Message "the tag's name is not valid or taken";
    45158 Message "the tag's name is too long";
    45159 Message "the tag is not known";
    46003 Message "there is no menu";
    47001 Message "the request is not valid JSON";
    47002 Message "the request's format is not valid";
    47003 Message "a template keyword is empty or does not have the form its kind wants";
    48001 Configuration "the account has no permission for this call";
    48002 Recipient "the recipient has turned messages off";
    48004 Configuration "the call is banned for this account; see the platform's notice";
    48006 Message "the quota was reset too often this month";
    48011 Template "the template is disabled";
    49001 Configuration "the account may not make this call";
    49003 Message "the openid does not belong to this account";
    50002 Recipient "the recipient's account is limited";
    50005 Recipient "the recipient does not follow the account";
    61004 Configuration "this machine's IP address is not on the account's allow-list";
    62751 Recipient "the recipient is on the account's blacklist";
    89501 Configuration "this machine's IP address waits for the administrator's confirmation";
    89502 Configuration "this machine's IP address waits for the administrator's confirmation";
    89503 Configuration "this machine's IP address needs the administrator's confirmation in WeChat";
    89504 Configuration "this machine's IP address waits for the administrator's confirmation";
    89505 Configuration "this machine's IP address waits for the administrator's confirmation";
    89506 Configuration "the administrator has refused this machine's IP address for a day";
}

/// How long a code that calls for more than one try waits between them.
const SPACING: SignedDuration = SignedDuration::from_secs(60);

/// How often a code is tried that may be none of the message's fault.
const TRIES_MAX: u8 = 3;

/// How long a recipient who got too much is left alone, at first.
const RECIPIENT_PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// The pause after the refusal for a daily quota: it has been seen with the quota hardly used, so
/// what follows is for the quota itself to say, and for the next refusals.
const QUOTA_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// How often a daily quota that is used up is looked at again.
const QUOTA_PROBE: SignedDuration = SignedDuration::from_mins(30);

/// The row of a code; `None` for 0 and for codes that are not in the table.
#[must_use]
pub fn row(code: i64) -> Option<&'static Row> {
    ROWS.binary_search_by_key(&code, |row| row.code)
        .ok()
        .map(|index| &ROWS[index])
}

/// What a code calls for when a message was sent.
#[must_use]
pub fn class(code: i64) -> Class {
    match code {
        0 => Class::Success,
        _ => row(code).map_or(Class::Unlisted, |row| row.class),
    }
}

/// The label under which a code is counted.
#[must_use]
pub fn label(code: i64) -> &'static str {
    row(code).map_or(OTHER, |row| row.label)
}

/// What a code means, for an operator.
#[must_use]
pub fn sentence(code: i64) -> &'static str {
    match code {
        0 => "taken",
        _ => row(code).map_or("a return code this release does not know", |row| {
            row.sentence
        }),
    }
}

/// The outcome of a send that was answered with `code` at `now`, and after how many tries with
/// such an end the message ends. `spread` (any number) decides the jitter of common instants.
#[must_use]
pub fn outcome(code: i64, now: Timestamp, spread: u8) -> (Outcome, Option<u8>) {
    let after = |pause| now.saturating_add(pause).unwrap_or(now);
    match class(code) {
        Class::Success => (Outcome::Accepted, None),
        Class::SystemError => (Outcome::Unknown, None),
        Class::MinuteQuota => (Outcome::Throttled(next_minute(now, spread)), None),
        Class::DayQuota => (Outcome::Throttled(after(QUOTA_PAUSE)), None),
        Class::RecipientFrequency => (Outcome::RetryAt(after(RECIPIENT_PAUSE)), None),
        Class::Token => (Outcome::BadToken, None),
        Class::Recipient => (Outcome::Recipient, None),
        Class::Message | Class::Template => (Outcome::Message, None),
        Class::TemplateUnsteady | Class::Unlisted => {
            (Outcome::RetryAt(after(SPACING)), Some(TRIES_MAX))
        }
        Class::Configuration => (Outcome::Configuration, None),
    }
}

/// The next full minute, and up to three seconds more.
fn next_minute(now: Timestamp, spread: u8) -> Timestamp {
    let into = SignedDuration::from_secs(now.as_second().rem_euclid(60));
    let jitter = SignedDuration::from_millis(i64::from(spread) * 12);
    now.saturating_add(SignedDuration::from_secs(60) - into + jitter)
        .unwrap_or(now)
}

/// The next midnight in China (when daily quotas are assumed to start anew) and up to a minute
/// more, but at most half an hour ahead.
#[must_use]
pub fn next_quota_look(now: Timestamp, spread: u8) -> Timestamp {
    const DAY: i64 = 86_400;
    const CHINA_OFFSET: i64 = 8 * 3600;
    let into = (now.as_second() + CHINA_OFFSET).rem_euclid(DAY);
    let jitter = SignedDuration::from_millis(i64::from(spread) * 235);
    let midnight = SignedDuration::from_secs(DAY - into) + jitter;
    now.saturating_add(midnight.min(QUOTA_PROBE)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn rows_are_in_order_and_once() {
        assert!(ROWS.windows(2).all(|pair| pair[0].code < pair[1].code));
        for row in ROWS {
            assert_eq!(row.label, row.code.to_string());
            assert_eq!(label(row.code), row.label);
            assert!(
                !row.sentence.is_empty() && !row.sentence.ends_with('.'),
                "{}",
                row.code
            );
        }
        assert_eq!(LABELS.len(), ROWS.len() + 1);
        assert_eq!(label(12345), OTHER);
        assert!(LABELS.contains(&OTHER));
    }

    #[test]
    fn each_class_holds_the_codes_the_documentation_gives_it() {
        let rows: &[(Class, &[i64])] = &[
            (Class::Success, &[0]),
            (Class::SystemError, &[-1]),
            (Class::MinuteQuota, &[45011]),
            (Class::DayQuota, &[45009]),
            (Class::RecipientFrequency, &[43117]),
            (Class::Token, &[40001, 40014, 42001, 41001]),
            (
                Class::Recipient,
                &[
                    43004, 43101, 40003, 50005, 50002, 43019, 62751, 48002, 45015, 45047,
                ],
            ),
            (
                Class::Message,
                &[
                    47003, 47001, 47002, 44002, 44004, 45002, 40008, 40033, 40039, 40066, 40165,
                    41030, 40035, 40097, 40038, 45013, 45014, 41009,
                ],
            ),
            (Class::TemplateUnsteady, &[40037]),
            (Class::Template, &[40036, 43116, 48011, 43102]),
            (
                Class::Configuration,
                &[
                    40002, 40013, 40125, 41002, 41004, 40164, 40243, 89501, 89502, 89503, 89504,
                    89505, 89506, 48001, 48004, 43001, 43002, 43003, 49001, 61004, 45035,
                ],
            ),
            (Class::Unlisted, &[1, -2, 40000, 99_999, i64::MAX, i64::MIN]),
        ];
        for (expected, codes) in rows {
            for code in *codes {
                assert_eq!(class(*code), *expected, "{code}");
            }
        }
    }

    #[test]
    fn only_zero_is_accepted_and_only_the_system_error_is_unknown() {
        let now = at("2026-11-24T00:00:00Z");
        for row in ROWS {
            let (outcome, _) = outcome(row.code, now, 0);
            assert_ne!(outcome, Outcome::Accepted, "{}", row.code);
            assert_eq!(outcome == Outcome::Unknown, row.code == -1, "{}", row.code);
        }
        assert_eq!(outcome(0, now, 0), (Outcome::Accepted, None));
    }

    #[test]
    fn a_minute_quota_ends_with_the_minute() {
        for (now, spread, until) in [
            ("2026-11-24T00:00:00Z", 0, "2026-11-24T00:01:00Z"),
            ("2026-11-24T00:00:59Z", 0, "2026-11-24T00:01:00Z"),
            ("2026-11-24T00:00:30Z", 255, "2026-11-24T00:01:03.060Z"),
            ("1969-12-31T23:59:30Z", 0, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(
                outcome(45011, at(now), spread).0,
                Outcome::Throttled(at(until)),
                "{now}"
            );
        }
    }

    #[test]
    fn a_used_up_quota_is_looked_at_every_half_hour_and_after_midnight_in_china() {
        for (now, spread, until) in [
            ("2026-11-24T00:00:00Z", 0, "2026-11-24T00:30:00Z"),
            // 23:45 in China.
            ("2026-11-24T15:45:00Z", 0, "2026-11-24T16:00:00Z"),
            ("2026-11-24T15:45:00Z", 200, "2026-11-24T16:00:47Z"),
            ("2026-11-24T16:00:00Z", 200, "2026-11-24T16:30:00Z"),
        ] {
            assert_eq!(next_quota_look(at(now), spread), at(until), "{now}");
            let short = Outcome::Throttled(at(now) + QUOTA_PAUSE);
            assert_eq!(outcome(45009, at(now), spread).0, short, "{now}");
        }
    }

    #[test]
    fn the_end_of_time_is_no_panic() {
        for row in ROWS {
            let _ = outcome(row.code, Timestamp::MAX, 255);
            let _ = outcome(row.code, Timestamp::MIN, 255);
        }
    }
}
