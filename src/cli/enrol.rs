//! `dosed enrol`.

use super::ask::Daemon;
use super::exit::Exit;
use super::terminal;
use crate::daemon::config::{Config, Environment};
use crate::http::admin::{EnrolRequest, Enrolled};
use qrcode::QrCode;
use qrcode::render::{svg, unicode};
use std::path::{Path, PathBuf};

/// Longest time for which WeChat keeps a code.
const VALID_MAX_SECONDS: u32 = 30 * 24 * 3600;

/// Make a code that a patient, or a caregiver, scans with WeChat: from then on they are reminded.
///
/// The code is good for one person and one time, and only while it is valid. Whoever scans it is
/// asked for consent first; nothing medical is sent before that. To enrol again moves the binding
/// to the new phone. Show the code to nobody else: whoever scans it first is bound. Exit code 0:
/// made; 1: there is no such patient or caregiver, or nothing could be scanned; 69: no daemon, or no
/// messaging API, answers.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The patient's id: the name of the plan's file.
    #[arg(value_name = "PATIENT")]
    patient: String,
    /// For this caregiver of the patient, by the id in the plan.
    #[arg(long, value_name = "ID")]
    caregiver: Option<String>,
    /// How long the code is valid: 90s, 30m, 12h or 7d, at most 30 days.
    #[arg(long, value_name = "SPAN", default_value = "30m", value_parser = valid_seconds)]
    valid: u32,
    /// Write the code to this file, too, as a picture (SVG).
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    super::ended(enrol(args))
}

fn enrol(args: &Args) -> Result<Exit, (Exit, String)> {
    let config = Config::load(&args.config, &Environment::of_process())
        .map_err(|error| (Exit::from(&error), error.to_string()))?;
    let request = EnrolRequest {
        patient: args.patient.clone(),
        caregiver: args.caregiver.clone(),
        valid_seconds: args.valid,
    };
    let body =
        serde_json::to_value(request).map_err(|error| (Exit::Internal, error.to_string()))?;
    let answer = Daemon::of(&config).post("/enrol", &body)?;
    let enrolled: Enrolled = serde_json::from_value(answer).map_err(|_| {
        let message = "the daemon is of another release".to_owned();
        (Exit::Unavailable, message)
    })?;
    let (url, expires) = match enrolled {
        Enrolled::Made { url, expires } => (url, expires),
        Enrolled::NoPatient => return Err(super::no_patient(&config, &args.patient)),
        Enrolled::NoCaregiver { known } if known.is_empty() => {
            let message = format!("the plan of `{}` has no caregivers", args.patient);
            return Err((Exit::Findings, message));
        }
        Enrolled::NoCaregiver { known } => {
            let message = format!(
                "the plan of `{}` has no such caregiver; it has `{}`",
                args.patient,
                known.join("`, `")
            );
            return Err((Exit::Findings, message));
        }
        Enrolled::NoAnswers { why } => return Err((Exit::Findings, why)),
        Enrolled::Unavailable { why } => {
            let message = format!("the messaging API gave no code: {why}");
            return Err((Exit::Unavailable, message));
        }
        Enrolled::Failed { why } => return Err((Exit::Io, why)),
    };
    let code = QrCode::new(url.as_bytes()).map_err(|_| {
        let message = "the messaging API gave an address that no code can hold".to_owned();
        (Exit::Unavailable, message)
    })?;
    if let Some(path) = &args.svg {
        write_svg(&code, path)?;
    }
    let whom = match &args.caregiver {
        None => args.patient.clone(),
        Some(caregiver) => format!("{caregiver}, caregiver of {}", args.patient),
    };
    let until = config
        .clinic
        .defaults
        .zone
        .time_zone()
        .to_datetime(expires)
        .strftime("%Y-%m-%d %H:%M:%S");
    super::write_data(&format!(
        "{}\n\nFor {whom}: to be scanned once, with WeChat, until {until}.\n",
        drawn(&code)
    ))?;
    if let Some(path) = &args.svg {
        terminal::write_stderr(&format!(
            "The picture is in {}; delete it when it was scanned.\n",
            path.display()
        ));
    }
    Ok(Exit::Ok)
}

/// The code in half blocks, light on dark: the quiet zone around it is drawn, too, so that it can
/// be read from a terminal of any colours.
fn drawn(code: &QrCode) -> String {
    code.render::<unicode::Dense1x2>()
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .quiet_zone(true)
        .build()
}

/// The picture is only for whom it is shown to.
fn write_svg(code: &QrCode, path: &Path) -> Result<(), (Exit, String)> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(320, 320)
        .build();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path);
    file.and_then(|mut file| file.write_all(picture.as_bytes()))
        .map_err(|error| {
            let message = format!("{}: {error}", path.display());
            (Exit::CannotCreate, message)
        })
}

/// A number with one of the units of a span, in seconds.
fn valid_seconds(text: &str) -> Result<u32, String> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 24 * 3_600,
        _ => return Err("write e.g. 30m, 12h or 7d".to_owned()),
    };
    let seconds = number.parse::<u32>().ok();
    seconds
        .and_then(|number| number.checked_mul(unit))
        .filter(|seconds| (1..=VALID_MAX_SECONDS).contains(seconds))
        .ok_or_else(|| "a code is valid for 1 second to 30 days".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_validity_is_a_number_with_a_unit_up_to_thirty_days() {
        for (text, seconds) in [
            ("30m", Some(1_800)),
            ("1s", Some(1)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("31d", None),
            ("0m", None),
            ("30", None),
            ("m", None),
            ("", None),
            ("99999999999d", None),
            ("-5m", None),
        ] {
            assert_eq!(valid_seconds(text).ok(), seconds, "{text:?}");
        }
    }

    #[test]
    fn a_drawn_code_is_as_wide_as_high_and_has_a_margin() {
        let code = QrCode::new(b"http://weixin.qq.com/q/02abc").unwrap();
        let text = drawn(&code);
        let lines: Vec<&str> = text.lines().collect();
        let width = code.width() + 8;
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        // Light all around.
        assert!(lines[0].chars().all(|c| c == '\u{2588}'), "{text}");
    }
}
