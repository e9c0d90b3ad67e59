//! The log: on stderr, in the form that whoever reads it can use.
//!
//! A line is a short constant message with fields. At `info` no line carries a patient's name, id,
//! address or medicine, nor a secret, nor a text that an API sent.

use super::config::{Log, LogFormat};
use crate::plan::diagnostic::Colour;
use jiff::Timestamp;
use std::fmt::{self, Write as _};
use std::io;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is wrong. `log.level` was checked with the configuration, so this is
    /// `$DOSED_LOG`.
    #[error("DOSED_LOG: {0}")]
    Filter(String),
    /// Another log is set up in this process.
    #[error("the log is set up already")]
    Twice,
}

/// Sets the process's log up.
///
/// `journal_stream` is `$JOURNAL_STREAM`; `colour` is for the human form.
///
/// # Errors
/// The filter is wrong, or the log is set up already.
pub fn init(log: &Log, journal_stream: Option<&str>, colour: Colour) -> Result<(), LoggingError> {
    check_filter(&log.level).map_err(LoggingError::Filter)?;
    let form = Form::of(log.format, colour, || is_journal(journal_stream));
    let subscriber = subscriber(&log.level, form, io::stderr).map_err(LoggingError::Filter)?;
    subscriber.try_init().map_err(|_| LoggingError::Twice)
}

/// Checks a level or a filter of several (`info,dosed::messaging=debug`).
///
/// # Errors
/// A sentence that says how to write it.
pub fn check_filter(text: &str) -> Result<(), String> {
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    for part in text.split(',') {
        // The filter's own grammar takes a mistyped level for the name of a module, of which
        // nothing would ever be logged.
        let bare = !part.contains(['=', '[']);
        if bare && !levels.contains(&part.trim().to_lowercase().as_str()) {
            return Err(format!(
                "`{part}` is not a level of the log: write one of {}",
                levels.join(", ")
            ));
        }
    }
    EnvFilter::try_new(text)
        .map(drop)
        .map_err(|error| format!("`{text}` is not a filter: {error}"))
}

/// True if stderr is the stream that the journal reads, as `sd-daemon(3)` says to find out.
fn is_journal(journal_stream: Option<&str>) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    rustix::fs::fstat(io::stderr())
        .is_ok_and(|stat| device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino))
}

/// The form of lines, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Journald,
    Human(Colour),
    Json,
}

impl Form {
    fn of(format: LogFormat, colour: Colour, is_journal: impl FnOnce() -> bool) -> Self {
        match format {
            LogFormat::Journald => Form::Journald,
            LogFormat::Json => Form::Json,
            LogFormat::Auto if is_journal() => Form::Journald,
            LogFormat::Auto | LogFormat::Human => Form::Human(colour),
        }
    }
}

fn subscriber<W>(
    filter: &str,
    form: Form,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // The doorbell's crate tells of its own innards at info.
    let filter = if filter.contains("tokio_cron_scheduler") {
        filter.to_owned()
    } else {
        format!("{filter},tokio_cron_scheduler=warn")
    };
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false);
    Ok(match form {
        Form::Json => Box::new(builder.json().flatten_event(true).finish()),
        Form::Journald | Form::Human(_) => {
            let now = Timestamp::now;
            Box::new(builder.event_format(Lines { form, now }).finish())
        }
    })
}

/// One line an event, whatever its fields hold.
struct Lines {
    form: Form,
    now: fn() -> Timestamp,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        match self.form {
            Form::Human(colour) => {
                let (name, style) = level_name(level);
                write!(writer, "{:.3} ", (self.now)())?;
                match colour {
                    Colour::Ansi => write!(writer, "\u{1b}[{style}m{name:5}\u{1b}[0m ")?,
                    Colour::None => write!(writer, "{name:5} ")?,
                }
            }
            Form::Journald | Form::Json => write!(writer, "<{}>", journal_priority(level))?,
        }
        let mut line = String::new();
        context
            .field_format()
            .format_fields(Writer::new(&mut line), event)?;
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                write!(line, " {fields}")?;
            }
        }
        // A field must not be able to begin a line of its own, with a level of its choice.
        for character in line.chars() {
            writer.write_char(if character.is_control() {
                ' '
            } else {
                character
            })?;
        }
        writeln!(writer)
    }
}

fn level_name(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("ERROR", "1;31"),
        Level::WARN => ("WARN", "1;33"),
        Level::INFO => ("INFO", "32"),
        Level::DEBUG => ("DEBUG", "34"),
        Level::TRACE => ("TRACE", "2"),
    }
}

/// The priorities of `syslog(3)` that `sd-daemon(3)` wants in front of a line.
fn journal_priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, form: Form) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = subscriber(filter, form, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(code = 7, "store failed");
            tracing::warn!(place = "a\n<0>b", "plan rejected");
            tracing::info!(patients = 3, "plans applied");
            tracing::debug!("detail");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn journal_lines_begin_with_the_priority_and_have_no_time() {
        assert_eq!(
            logged("debug", Form::Journald),
            "<3>store failed code=7\n\
             <4>plan rejected place=\"a\\n<0>b\"\n\
             <6>plans applied patients=3\n\
             <7>detail\n"
        );
    }

    #[test]
    fn human_lines_begin_with_time_and_level() {
        let text = logged("info", Form::Human(Colour::None));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let (time, rest) = lines[2].split_once(' ').unwrap();
        assert!(
            time.parse::<Timestamp>().is_ok() && time.ends_with('Z'),
            "{time}"
        );
        assert_eq!(rest, "INFO  plans applied patients=3");
        assert!(logged("info", Form::Human(Colour::Ansi)).contains("\u{1b}[32mINFO \u{1b}[0m "));
    }

    #[test]
    fn json_lines_are_objects_with_the_fields_at_the_top() {
        let text = logged("warn", Form::Json);
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1]["level"], "WARN");
        assert_eq!(lines[1]["message"], "plan rejected");
        assert_eq!(lines[1]["place"], "a\n<0>b");
    }

    #[test]
    fn filters_are_levels_or_directives() {
        for good in [
            "info",
            "INFO",
            "off",
            "info,dosed::daemon=debug",
            "dosed=trace",
        ] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in ["", "inof", "info,dosed", "dosed=loud", "information"] {
            assert!(check_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn auto_is_the_journals_form_only_when_the_journal_reads_stderr() {
        assert_eq!(
            Form::of(LogFormat::Auto, Colour::None, || true),
            Form::Journald
        );
        assert_eq!(
            Form::of(LogFormat::Auto, Colour::None, || false),
            Form::Human(Colour::None)
        );
        assert_eq!(
            Form::of(LogFormat::Human, Colour::Ansi, || true),
            Form::Human(Colour::Ansi)
        );
        let stat = rustix::fs::fstat(io::stderr()).unwrap();
        let own = format!("{}:{}", stat.st_dev, stat.st_ino);
        let other = format!("{}:{}", stat.st_dev, stat.st_ino + 1);
        assert!(is_journal(Some(&own)));
        for stream in [None, Some(&*other), Some(""), Some("x:y"), Some(":")] {
            assert!(!is_journal(stream), "{stream:?}");
        }
    }
}
