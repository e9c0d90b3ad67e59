//! The console channel: prints what patients would read, one line a message, for a first look and
//! for development. Whoever can read standard output reads medical data.

use super::wording::{self, Amounts, Stamp};
use super::{Detail, MessageKind, Outcome, Outgoing, Permit, Texts, Verdict};
use crate::engine::{Body, DoseLine};
use crate::plan::Language;
use jiff::Timestamp;
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How a message is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Lines waiting to be written.
const QUEUE: usize = 1024;
/// A line that nobody has taken after this long counts as torn: the reader of a pipe hangs.
const TIME_LIMIT: Duration = Duration::from_secs(10);

struct Line {
    text: String,
    permit: Permit,
    done: oneshot::Sender<Verdict>,
}

/// The channel. Clones share one writer.
#[derive(Clone)]
pub struct Console {
    format: Format,
    texts: Texts,
    lines: mpsc::Sender<Line>,
    time_limit: Duration,
}

impl Console {
    /// Prints to standard output.
    ///
    /// # Errors
    /// Standard output is closed, or no thread can be made.
    pub fn new(format: Format) -> std::io::Result<Self> {
        // A file of its own, without the standard library's buffer: that keeps what it could not
        // write, and would print it later as if nothing had happened.
        let output = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        Self::to(output, format)
    }

    /// Prints to any writer, which must not buffer.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn to(writer: impl Write + Send + 'static, format: Format) -> std::io::Result<Self> {
        let (lines, queue) = mpsc::channel(QUEUE);
        // A thread of its own: a pipe whose reader hangs blocks it, and neither the runtime nor
        // the end of the process waits for it.
        std::thread::Builder::new()
            .name("console".to_owned())
            .spawn(move || write_lines(writer, queue))?;
        Ok(Self {
            format,
            texts: Texts::default(),
            lines,
            time_limit: TIME_LIMIT,
        })
    }

    /// The same with a clinic's own words for news.
    #[must_use]
    pub fn with_texts(self, texts: Texts) -> Self {
        Self { texts, ..self }
    }

    /// Prints one message.
    pub async fn send(&self, message: Outgoing<'_>) -> Verdict {
        let text = match self.format {
            Format::Human => human(&message, &self.texts),
            Format::Json => json(&message, &self.texts),
        };
        let (done, outcome) = oneshot::channel();
        let torn = Verdict::new(Outcome::Unknown, Detail::OutputTorn);
        let permit = message.permit.clone();
        let line = Line { text, permit, done };
        let queued = self.lines.send_timeout(line, self.time_limit);
        if queued.await.is_err() {
            return Verdict::new(Outcome::RetrySoon, Detail::OutputFailed);
        }
        match tokio::time::timeout(self.time_limit, outcome).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) | Err(_) => torn,
        }
    }
}

/// Writes what has gathered in one go, and says of each line what became of it.
fn write_lines(mut writer: impl Write, mut queue: mpsc::Receiver<Line>) {
    let mut waiting = Vec::with_capacity(QUEUE);
    let mut bytes = Vec::new();
    while queue.blocking_recv_many(&mut waiting, QUEUE) > 0 {
        // Whoever gave up waiting has called the outcome unknown; not printing is the better half.
        waiting.retain(|line| !line.done.is_closed());
        bytes.clear();
        for line in &mut waiting {
            // The line before it may have hung in the pipe for a while.
            if !line.permit.holds() {
                line.text.clear();
            }
            bytes.extend_from_slice(line.text.as_bytes());
        }
        let written = write_all(&mut writer, &bytes);
        let mut end = 0;
        for line in waiting.drain(..) {
            let start = end;
            end += line.text.len();
            let verdict = if line.text.is_empty() {
                Verdict::new(Outcome::NotSent, Detail::NotPermitted)
            } else if end <= written {
                Verdict::new(Outcome::Accepted, Detail::Taken)
            } else if start < written {
                Verdict::new(Outcome::Unknown, Detail::OutputTorn)
            } else {
                Verdict::new(Outcome::RetrySoon, Detail::OutputFailed)
            };
            // Nobody waits any more: nothing to tell.
            let _ = line.done.send(verdict);
        }
    }
}

/// How many bytes were written before an error, or all of them.
fn write_all(writer: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match writer.write(&bytes[written..]) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process may have set the terminal to non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(_) => break,
        }
    }
    written
}

/// `08:00 王秀兰  二甲双胍 1片、氨氯地平 1片（饭后）`
fn human(message: &Outgoing<'_>, texts: &Texts) -> String {
    let addressee = message.addressee;
    let language = addressee.language;
    let (open, close) = match language {
        Language::ZhCn => ("（", "）"),
        Language::En => (" (", ")"),
    };
    let said = Said::of(message, texts);
    let mut line = String::with_capacity(96);
    let local = wording::local(said.at, addressee);
    if local.date() == wording::local(message.now, addressee).date() {
        wording::push_time(&mut line, local);
    } else {
        line.push_str(&wording::date_time(said.at, addressee));
    }
    line.push(' ');
    line.push_str(&addressee.name);
    line.push_str("  ");
    line.push_str(&said.text);
    let late = match language {
        Language::ZhCn => "已过时间",
        Language::En => "late",
    };
    let remarks = [said.aside.as_str(), if said.late { late } else { "" }];
    for remark in remarks.into_iter().filter(|remark| !remark.is_empty()) {
        line.push_str(open);
        line.push_str(remark);
        line.push_str(close);
    }
    if let Some(link) = message.link {
        line.push_str("  ");
        line.push_str(link);
    }
    one_line(line)
}

/// Nothing in a text may end the line or move the terminal's cursor.
fn one_line(line: String) -> String {
    let mut line = if line.contains(breaks_line) {
        line.replace(breaks_line, " ")
    } else {
        line
    };
    line.push('\n');
    line
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[derive(Serialize)]
struct JsonLine<'a> {
    kind: &'static str,
    id: String,
    /// RFC 3339, in the patient's zone.
    at: String,
    patient: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    medications: Vec<JsonDose<'a>>,
    /// The doctor's words, or how to answer.
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
    late: bool,
    /// The address of the patient's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonDose<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    amount: &'a str,
    /// What the patient was told before, where that was another amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    formerly: Option<&'a str>,
    due: String,
}

fn json(message: &Outgoing<'_>, texts: &Texts) -> String {
    let rfc3339 = |at: Timestamp| message.addressee.zone.rfc3339(at);
    let said = Said::of(message, texts);
    let doses: &[DoseLine] = match message.body {
        Body::Dose(doses) => doses,
        _ => &[],
    };
    let line = JsonLine {
        kind: MessageKind::of(message.body).name(),
        id: message.id.to_string(),
        at: rfc3339(said.at),
        patient: &message.addressee.name,
        text: &said.text,
        medications: doses
            .iter()
            .map(|dose| JsonDose {
                name: &dose.label,
                amount: &dose.amount,
                formerly: dose.formerly.as_deref(),
                due: rfc3339(dose.due),
            })
            .collect(),
        note: &said.aside,
        late: said.late,
        link: message.link,
    };
    // A structure of texts cannot fail to serialise, and JSON escapes what could break the line.
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// A message in words.
struct Said {
    at: Timestamp,
    text: String,
    aside: String,
    late: bool,
}

impl Said {
    fn of(message: &Outgoing<'_>, texts: &Texts) -> Self {
        let addressee = message.addressee;
        match message.body {
            Body::Dose(doses) => {
                let stamp = wording::stamps(doses, addressee).first().copied();
                Self {
                    at: doses.iter().map(|dose| dose.due).min().unwrap_or_default(),
                    text: wording::doses(
                        doses,
                        addressee,
                        stamp.unwrap_or(Stamp::None),
                        Amounts::Changes,
                    ),
                    aside: wording::notes(doses, addressee).into_owned(),
                    late: doses.iter().any(|dose| message.now > dose.on_time_until),
                }
            }
            Body::CheckIn(question) => Self {
                at: question.due,
                text: question.ask.clone(),
                aside: wording::how_to_answer(&question.answer, addressee.language),
                late: message.now > question.on_time_until,
            },
            Body::Appointment(appointment) => Self {
                at: appointment.at,
                text: appointment.what.clone(),
                aside: appointment.note.clone().unwrap_or_default(),
                late: false,
            },
            Body::Notice(text) => Self {
                at: text.at,
                text: text.text.clone(),
                aside: String::new(),
                late: false,
            },
            Body::Alert(alert) => Self {
                at: alert.at,
                text: texts.alert(alert, addressee).swap_remove(0),
                aside: String::new(),
                late: false,
            },
            Body::Digest(digest) => Self {
                at: digest.at,
                text: texts.digest(digest, addressee).swap_remove(0),
                aside: String::new(),
                late: false,
            },
            Body::Refill(refill) => Self {
                at: refill.at,
                text: texts.refill(refill, addressee.language).swap_remove(0),
                aside: String::new(),
                late: false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Addressee, AppointmentLine, MessageId, Question, Text};
    use crate::plan::{AnswerType, Zone};
    use std::sync::{Arc, Mutex};

    /// Keeps what is written, up to a number of bytes.
    #[derive(Clone)]
    struct Paper {
        room: usize,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Paper {
        fn new(room: usize) -> Self {
            Self {
                room,
                written: Arc::default(),
            }
        }

        fn text(&self) -> String {
            String::from_utf8(self.written.lock().expect("unpoisoned").clone()).expect("UTF-8")
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut written = self.written.lock().expect("unpoisoned");
            // A little at a time, as a pipe may take it.
            let count = bytes.len().min(7).min(self.room - written.len());
            written.extend_from_slice(&bytes[..count]);
            if count == 0 {
                Err(ErrorKind::BrokenPipe.into())
            } else {
                Ok(count)
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn addressee(language: Language) -> Addressee {
        let zone = Zone::get("Asia/Shanghai").expect("a known zone");
        Addressee {
            name: "王秀兰".into(),
            language,
            zone,
        }
    }

    fn dose(label: &str, amount: &str, due: &str, note: Option<&str>) -> DoseLine {
        DoseLine {
            medication: label.into(),
            label: label.into(),
            amount: amount.into(),
            formerly: None,
            due: at(due),
            on_time_until: at(due) + jiff::SignedDuration::from_hours(1),
            note: note.map(str::to_owned),
        }
    }

    /// The line that one message becomes.
    async fn line(format: Format, language: Language, body: &Body, now: &str) -> String {
        let paper = Paper::new(usize::MAX);
        let console = Console::to(paper.clone(), format).expect("a thread");
        let verdict = console
            .send(Outgoing {
                id: MessageId([0x1f; 16]),
                address: "oTestOpenid",
                addressee: &addressee(language),
                body,
                link: None,
                now: at(now),
                permit: &Permit::always(),
            })
            .await;
        assert_eq!(verdict, Verdict::new(Outcome::Accepted, Detail::Taken));
        let text = paper.text();
        assert!(
            text.ends_with('\n') && text.lines().count() == 1,
            "{text:?}"
        );
        assert!(
            !text.contains("oTestOpenid"),
            "addresses are not for the eye"
        );
        text.trim_end().to_owned()
    }

    #[tokio::test]
    async fn people_read_one_line_in_the_patients_language() {
        let (zh, en) = (Language::ZhCn, Language::En);
        let eight = "2026-11-24T00:00:00Z";
        let two = Body::Dose(vec![
            dose("二甲双胍", "1片", eight, Some("饭后")),
            dose("氨氯地平", "1片", eight, None),
        ]);
        let merged = Body::Dose(vec![
            dose("Metformin", "1 tablet", eight, None),
            dose("Aspirin", "", "2026-11-24T01:00:00Z", None),
        ]);
        let question = Body::CheckIn(Question {
            check_in: "bp".into(),
            ask: "血压是多少？".into(),
            answer: AnswerType::BloodPressure,
            due: at(eight),
            on_time_until: at(eight),
        });
        let appointment = Body::Appointment(AppointmentLine {
            what: "复诊".into(),
            at: at("2026-11-25T01:30:00Z"),
            note: None,
        });
        let broken = Body::Notice(Text {
            text: "a\r\nb\u{1b}[2Jc".into(),
            at: at(eight),
        });
        for (language, body, now, text) in [
            (
                zh,
                &two,
                eight,
                "08:00 王秀兰  二甲双胍 1片、氨氯地平 1片（饭后）",
            ),
            (
                zh,
                &two,
                "2026-11-24T02:00:00Z",
                "08:00 王秀兰  二甲双胍 1片、氨氯地平 1片（饭后）（已过时间）",
            ),
            (
                en,
                &merged,
                "2026-11-24T02:00:00Z",
                "08:00 王秀兰  08:00 Metformin 1 tablet, 09:00 Aspirin (late)",
            ),
            (
                zh,
                &question,
                eight,
                "08:00 王秀兰  血压是多少？（请回复高压/低压，如120/80）",
            ),
            (zh, &appointment, eight, "2026-11-25 09:30 王秀兰  复诊"),
            (en, &broken, eight, "08:00 王秀兰  a  b [2Jc"),
        ] {
            assert_eq!(line(Format::Human, language, body, now).await, text);
        }
    }

    #[tokio::test]
    async fn programs_read_one_object_a_line() {
        let body = Body::Dose(vec![
            dose(
                "二甲双胍",
                "1片",
                "2026-11-24T00:00:00Z",
                Some("饭后\n多喝水"),
            ),
            dose("鱼油", "", "2026-11-24T00:00:00Z", None),
        ]);
        let text = line(Format::Json, Language::ZhCn, &body, "2026-11-24T00:00:00Z").await;
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON"),
            serde_json::json!({
                "kind": "dose",
                "id": "1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",
                "at": "2026-11-24T08:00:00+08:00",
                "patient": "王秀兰",
                "text": "二甲双胍 1片、鱼油",
                "medications": [
                    {"name": "二甲双胍", "amount": "1片", "due": "2026-11-24T08:00:00+08:00"},
                    {"name": "鱼油", "due": "2026-11-24T08:00:00+08:00"},
                ],
                "note": "饭后\n多喝水",
                "late": false,
            })
        );
    }

    async fn send_note(console: &Console, text: &str) -> Verdict {
        let body = Body::Notice(Text {
            text: text.into(),
            at: at("2026-11-24T00:00:00Z"),
        });
        console
            .send(Outgoing {
                id: MessageId([0; 16]),
                address: "",
                addressee: &addressee(Language::En),
                body: &body,
                link: None,
                now: at("2026-11-24T00:00:00Z"),
                permit: &Permit::always(),
            })
            .await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn lines_written_at_the_same_time_stay_whole() {
        let paper = Paper::new(usize::MAX);
        let console = Console::to(paper.clone(), Format::Human).expect("a thread");
        let tasks: Vec<_> = (0..500)
            .map(|index| {
                let console = console.clone();
                tokio::spawn(async move { send_note(&console, &format!("note {index}")).await })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.expect("no panic").outcome, Outcome::Accepted);
        }
        let text = paper.text();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        let mut expected: Vec<String> = (0..500)
            .map(|index| format!("08:00 王秀兰  note {index}"))
            .collect();
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }

    #[tokio::test]
    async fn an_output_that_fails_says_what_became_of_each_line() {
        // Room for one line and a half.
        let whole = "08:00 王秀兰  note\n".len();
        let paper = Paper::new(whole + whole / 2);
        let console = Console::to(paper.clone(), Format::Human).expect("a thread");
        for (outcome, detail) in [
            (Outcome::Accepted, Detail::Taken),
            (Outcome::Unknown, Detail::OutputTorn),
            (Outcome::RetrySoon, Detail::OutputFailed),
            (Outcome::RetrySoon, Detail::OutputFailed),
        ] {
            assert_eq!(
                send_note(&console, "note").await,
                Verdict::new(outcome, detail)
            );
        }
    }

    #[tokio::test]
    async fn a_pipe_without_a_reader_is_no_panic() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let console = Console::to(writer, Format::Json).expect("a thread");
        assert_eq!(
            send_note(&console, "note").await,
            Verdict::new(Outcome::RetrySoon, Detail::OutputFailed)
        );
    }

    #[tokio::test]
    async fn a_reader_that_hangs_is_waited_for_only_so_long() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut console = Console::to(writer, Format::Human).expect("a thread");
        console.time_limit = Duration::from_millis(200);
        // More than a pipe holds.
        let verdict = send_note(&console, &"x".repeat(1 << 20)).await;
        assert_eq!(verdict, Verdict::new(Outcome::Unknown, Detail::OutputTorn));
        assert_eq!(send_note(&console, "y").await.outcome, Outcome::Unknown);
        drop(reader);
    }
}
