//! The fields of the page's forms: their names, and what they say.

use super::NotNoted;
use crate::engine::{Field, Press};

/// The form itself, sealed.
pub const FORM: &str = "form";
/// What was pressed.
pub const DO: &str = "do";
/// When it was taken, on the clock.
pub const CLOCK: &str = "clock";
/// Why it is not taken, one of the reasons offered.
pub const REASON: &str = "reason";
/// Why it is not taken, in words.
pub const OTHER: &str = "other";
/// Yes or no, of a question.
pub const YES: &str = "yes";
/// The word chosen, of a question.
pub const CHOICE: &str = "choice";
/// Words or a number, of a question.
pub const VALUE: &str = "value";
/// The upper of a blood pressure.
pub const UPPER: &str = "upper";
/// The lower of a blood pressure.
pub const LOWER: &str = "lower";

/// Values of [`DO`].
pub const TAKEN: &str = "taken";
/// To be reminded of again in the usual time.
pub const LATER: &str = "later";
/// In an hour.
pub const LATER_HOUR: &str = "later-60";
/// In two.
pub const LATER_TWO_HOURS: &str = "later-120";
/// Not this time.
pub const SKIPPED: &str = "skipped";
/// Not taken (yet).
pub const NOT_TAKEN: &str = "not-taken";

/// More fields than any form has.
const FIELDS_MAX: usize = 16;

/// What a form says: its seal, and what was pressed.
///
/// # Errors
/// It is none of the page's forms, or says no time where it should.
pub fn read(body: &[u8]) -> Result<(String, Press), NotNoted> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(body)
        .take(FIELDS_MAX)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let get = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let form = get(FORM).ok_or(NotNoted::Foreign)?;
    let press = match get(DO) {
        Some(TAKEN) => Press::Taken {
            clock: clock(get(CLOCK).unwrap_or_default())?,
        },
        Some(LATER) => Press::Later { minutes: None },
        Some(LATER_HOUR) => Press::Later { minutes: Some(60) },
        Some(LATER_TWO_HOURS) => Press::Later { minutes: Some(120) },
        Some(SKIPPED) => Press::Skipped {
            reason: reason(get(REASON), get(OTHER)),
        },
        Some(NOT_TAKEN) => Press::NotTaken,
        Some(_) => return Err(NotNoted::Foreign),
        None => Press::Answer(field(get).ok_or(NotNoted::Foreign)?),
    };
    Ok((form.to_owned(), press))
}

fn field<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Option<Field> {
    if let (Some(upper), Some(lower)) = (get(UPPER), get(LOWER)) {
        return Some(Field::Pressure {
            upper: upper.to_owned(),
            lower: lower.to_owned(),
        });
    }
    match (get(YES), get(CHOICE), get(VALUE)) {
        (Some("1"), None, None) => Some(Field::YesOrNo(true)),
        (Some("0"), None, None) => Some(Field::YesOrNo(false)),
        (None, Some(choice), None) => Some(Field::Choice(choice.to_owned())),
        // Phones end lines as forms do.
        (None, None, Some(words)) => Some(Field::Words(words.replace("\r\n", "\n"))),
        _ => None,
    }
}

/// The reason chosen and the words beside it.
fn reason(chosen: Option<&str>, words: Option<&str>) -> Option<String> {
    let parts = [chosen, words].into_iter().flatten().map(str::trim);
    let parts: Vec<&str> = parts.filter(|it| !it.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// `08:05`, as a field of the type `time` sends it; nothing where it is empty.
fn clock(text: &str) -> Result<Option<(i8, i8)>, NotNoted> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    // A browser without such fields sends what was typed.
    let text = text.replace('：', ":");
    let mut parts = text.split(':').map(|part| part.trim().parse::<i8>());
    match (parts.next(), parts.next()) {
        (Some(Ok(hour @ 0..24)), Some(Ok(minute @ 0..60))) => Ok(Some((hour, minute))),
        _ => Err(NotNoted::NotThen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_says_what_was_pressed_and_nothing_else_is_one() {
        let taken = |clock| Ok(Press::Taken { clock });
        let later = |minutes| Ok(Press::Later { minutes });
        let skipped = |reason: Option<&str>| {
            Ok(Press::Skipped {
                reason: reason.map(str::to_owned),
            })
        };
        let answer = |field| Ok(Press::Answer(field));
        let words = |words: &str| answer(Field::Words(words.into()));
        let rows: [(&str, Result<Press, NotNoted>); 24] = [
            ("form=x&do=taken", taken(None)),
            ("form=x&do=taken&clock=", taken(None)),
            ("do=taken&clock=08%3A05&form=x", taken(Some((8, 5)))),
            ("form=x&do=taken&clock=08:05:00", taken(Some((8, 5)))),
            ("form=x&do=taken&clock=8%EF%BC%9A05", taken(Some((8, 5)))),
            ("form=x&do=taken&clock=25:00", Err(NotNoted::NotThen)),
            ("form=x&do=taken&clock=eight", Err(NotNoted::NotThen)),
            ("form=x&do=later", later(None)),
            ("form=x&do=later-60", later(Some(60))),
            ("form=x&do=later-120", later(Some(120))),
            ("form=x&do=later-99999", Err(NotNoted::Foreign)),
            ("form=x&do=skipped", skipped(None)),
            ("form=x&do=skipped&reason=a&other=+", skipped(Some("a"))),
            ("form=x&do=skipped&reason=a&other=b", skipped(Some("a; b"))),
            ("form=x&do=not-taken", Ok(Press::NotTaken)),
            ("form=x&yes=1", answer(Field::YesOrNo(true))),
            ("form=x&yes=0", answer(Field::YesOrNo(false))),
            ("form=x&yes=2", Err(NotNoted::Foreign)),
            (
                "form=x&choice=%E5%A5%BD",
                answer(Field::Choice("好".into())),
            ),
            ("form=x&value=6.5", words("6.5")),
            ("form=x&value=a%0D%0Ab", words("a\nb")),
            (
                "form=x&upper=135&lower=85",
                answer(Field::Pressure {
                    upper: "135".into(),
                    lower: "85".into(),
                }),
            ),
            ("form=x", Err(NotNoted::Foreign)),
            ("do=taken", Err(NotNoted::Foreign)),
        ];
        for (body, expected) in rows {
            let read = read(body.as_bytes());
            let expected = expected.map(|press| ("x".to_owned(), press));
            assert_eq!(read, expected, "{body}");
        }
        // The first of two counts, whatever a client sends.
        let twice = read(b"form=x&do=taken&do=skipped");
        assert_eq!(twice, Ok(("x".to_owned(), Press::Taken { clock: None })));
    }

    #[test]
    fn no_bytes_panic() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let _ = read(bytes);
        });
    }
}
