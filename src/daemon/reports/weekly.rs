//! The weekly report: one page to print and one table for spreadsheets, in the directory `reports`
//! beside the store, the oldest ones removed.

use super::{Csv, End, Head, Html, Range, Stop, Writer, write};
use crate::plan::Zone;
use crate::store::Reader;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::{Timestamp, ToSpan};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why a report was not made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The store cannot be read, or the file cannot be written.
    #[error("{path}: {error}")]
    Stopped {
        /// The file.
        path: PathBuf,
        /// Why.
        error: Stop,
    },
    /// Records cannot be read: a report without them would say too little.
    #[error("{0} records cannot be read; run: dosed fsck --config FILE")]
    Unreadable(u64),
}

/// The week before the one that holds `now`: its Monday, and the Monday after it.
#[must_use]
pub fn week_before(now: Timestamp, zone: &Zone) -> (Date, Date) {
    let today = zone.local(now).date();
    let since_monday = i64::from(today.weekday().since(Weekday::Monday));
    let until = today.saturating_sub(since_monday.days());
    (until.saturating_sub(7.days()), until)
}

/// `2026-W12`: sorts as the weeks follow each other.
fn name(monday: Date) -> String {
    let week: ISOWeekDate = monday.iso_week_date();
    format!("{:04}-W{:02}", week.year(), week.week())
}

/// Makes the report of the week before and removes the oldest beyond `keep` weeks. One that is
/// there already is made anew: what was answered late stands in it. Blocks.
///
/// # Errors
/// See [`ReportError`]. What was there before stays.
pub fn make(
    reader: &Reader,
    directory: &Path,
    keep: usize,
    clinic: &str,
    zone: &Zone,
    now: Timestamp,
) -> Result<(), ReportError> {
    let (monday, next) = week_before(now, zone);
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |error: io::Error| ReportError::Stopped {
            path,
            error: Stop::Output(error),
        }
    };
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed(directory)(error));
        }
        _ => {}
    }
    let (from, until) = (monday.to_string(), next.to_string());
    let local = zone.time_zone().to_datetime(now);
    let head = Head {
        clinic,
        from: &from,
        until: &until,
        made: local.strftime("%Y-%m-%d %H:%M").to_string(),
    };
    let range = Range {
        from: End::Local(monday.at(0, 0, 0, 0)),
        until: End::Local(next.at(0, 0, 0, 0)),
        now,
    };
    for extension in ["html", "csv"] {
        let path = directory.join(format!("{}.{extension}", name(monday)));
        let stopped = |error| ReportError::Stopped {
            path: path.clone(),
            error,
        };
        let unfinished = directory.join(format!(".{}.{extension}", name(monday)));
        let file = create(&unfinished).map_err(failed(&unfinished))?;
        let mut out = BufWriter::new(file);
        let mut writer: Box<dyn Writer + '_> = if extension == "html" {
            Box::new(Html::new(&mut out))
        } else {
            Box::new(Csv(&mut out))
        };
        let written = write(writer.as_mut(), &head, reader, None, range, zone, |_, _| {});
        drop(writer);
        let finished = written.and_then(|()| {
            out.flush()?;
            out.get_ref().sync_all()?;
            fs::rename(&unfinished, &path)?;
            Ok(())
        });
        if let Err(error) = finished {
            // Best effort: the next run writes over it.
            let _ = fs::remove_file(&unfinished);
            return Err(stopped(error));
        }
    }
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed(directory))?;
    remove_oldest(directory, keep).map_err(failed(directory))?;
    match reader.unreadable() {
        0 => Ok(()),
        records => Err(ReportError::Unreadable(records)),
    }
}

fn create(path: &Path) -> io::Result<File> {
    // Left by a run that was killed; perhaps with another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Whether a file is one of these reports: nothing else in the directory is touched.
fn is_report(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".html").or(name.strip_suffix(".csv")) else {
        return false;
    };
    let bytes = stem.as_bytes();
    bytes.len() == 8
        && bytes[4..6] == *b"-W"
        && bytes[..4].iter().chain(&bytes[6..]).all(u8::is_ascii_digit)
}

fn remove_oldest(directory: &Path, keep: usize) -> io::Result<()> {
    let mut reports = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| is_report(name)) {
            reports.push(name.to_owned());
        }
    }
    let week = |name: &String| name[..8].to_owned();
    let mut weeks: Vec<String> = reports.iter().map(week).collect();
    weeks.sort_unstable();
    weeks.dedup();
    weeks.truncate(weeks.len().saturating_sub(keep));
    for name in reports.iter().filter(|name| weeks.contains(&week(name))) {
        fs::remove_file(directory.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_before_begins_on_a_monday_of_the_clinics() {
        let zone = |name| Zone::get(name).unwrap();
        for (now, name, from, file) in [
            // A Monday in Shanghai, a Sunday in New York.
            (
                "2026-03-22T22:00:00Z",
                "Asia/Shanghai",
                "2026-03-16",
                "2026-W12",
            ),
            (
                "2026-03-22T22:00:00Z",
                "America/New_York",
                "2026-03-09",
                "2026-W11",
            ),
            (
                "2026-03-29T15:59:59Z",
                "Asia/Shanghai",
                "2026-03-16",
                "2026-W12",
            ),
            // The first days of a year are of the last week of the year before.
            (
                "2027-01-05T00:00:00Z",
                "Asia/Shanghai",
                "2026-12-28",
                "2026-W53",
            ),
        ] {
            let (monday, next) = week_before(now.parse().unwrap(), &zone(name));
            assert_eq!(monday.to_string(), from, "{now} {name}");
            assert_eq!(next, monday.saturating_add(7.days()));
            assert_eq!(self::name(monday), file);
        }
    }

    #[test]
    fn the_oldest_weeks_are_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let files = [
            "2025-W52.html",
            "2025-W52.csv",
            "2026-W01.html",
            "2026-W02.csv",
            "2026-W02.html",
            "2026-W3.html",
            "notes.html",
            "2025-W52.txt",
        ];
        for name in files {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        remove_oldest(directory.path(), 2).unwrap();
        let mut left: Vec<String> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let expected = [
            "2025-W52.txt",
            "2026-W01.html",
            "2026-W02.csv",
            "2026-W02.html",
            "2026-W3.html",
            "notes.html",
        ];
        assert_eq!(left, expected);
    }
}
