//! Plans that stand in the configuration, below `[patients]`.

use crate::plan::reader::{Table, Value};
use std::ops::Range;

/// One patient's part of the configuration.
#[derive(Clone, Debug)]
pub struct InlinePlan<'a> {
    /// The key below `[patients]` and its content. Not necessarily an id, nor a table.
    pub entry: Value<'a>,
    /// The patient's lines as they are written: what history keeps, and what tells whether the
    /// plan has changed when another part of the configuration has.
    pub text: String,
}

/// All patients of a configuration, in the order of its text.
#[must_use]
pub fn inline_plans<'a>(root: &Table<'a>) -> Vec<InlinePlan<'a>> {
    let Some(patients) = root.get("patients").filter(Value::is_table) else {
        return Vec::new();
    };
    let entries = patients
        .table()
        .map(|table| table.entries())
        .unwrap_or_default();

    let mut headers = Vec::new();
    for entry in root.entries() {
        collect_headers(&entry, &mut headers);
    }
    headers.sort_unstable();

    let source = root.findings().source();
    let text_of = |entry: &Value<'a>| {
        let sections = sections(entry, &headers, source.text().len());
        let mut parts = Vec::new();
        collect_keys(entry, "", &mut parts);
        parts.retain(|(start, _)| !sections.iter().any(|section| section.contains(start)));
        let written = sections
            .into_iter()
            .map(|section| (section.start, source.slice(section).trim_end().to_owned()));
        parts.extend(written);
        parts.sort_unstable();
        parts.into_iter().map(|(_, text)| text + "\n").collect()
    };
    let plan = |entry| InlinePlan {
        text: text_of(&entry),
        entry,
    };
    entries.into_iter().map(plan).collect()
}

/// From each header of the entry to the next header of anybody.
fn sections(entry: &Value<'_>, headers: &[usize], end: usize) -> Vec<Range<usize>> {
    let mut own = Vec::new();
    collect_headers(entry, &mut own);
    let section = |start: usize| {
        let next = headers.partition_point(|header| *header <= start);
        start..headers.get(next).copied().unwrap_or(end)
    };
    own.into_iter().map(section).collect()
}

/// Where the `[header]`s and `[[header]]`s of a value and of all below it begin.
fn collect_headers(value: &Value<'_>, headers: &mut Vec<usize>) {
    if is_headed(value) {
        headers.push(value.span().start);
    }
    for below in children(value) {
        collect_headers(&below, headers);
    }
}

/// The `key = value`s of a patient with their place, in front of each the keys that dotted keys
/// imply below the patient's.
fn collect_keys(value: &Value<'_>, prefix: &str, keys: &mut Vec<(usize, String)>) {
    let implied = value.is_table() && value.written() == value.key_written();
    let below = children(value);
    if !implied && !is_headed(value) && !below.iter().any(is_headed) {
        let source = value.findings().source();
        let written = source.slice(value.key_span().start..value.span().end);
        keys.push((value.key_span().start, format!("{prefix}{written}")));
        return;
    }
    for below in below {
        let dotted = below.is_table() && below.written() == below.key_written();
        let longer = if dotted {
            format!("{prefix}{}.", below.key_written())
        } else {
            prefix.to_owned()
        };
        collect_keys(&below, &longer, keys);
    }
}

/// True for a table that has a header, unlike one in braces or one that dotted keys imply.
fn is_headed(value: &Value<'_>) -> bool {
    value.is_table() && value.written().starts_with('[')
}

/// The entries of a table, the tables of a list.
fn children<'a>(value: &Value<'a>) -> Vec<Value<'a>> {
    if value.is_table() {
        value
            .table()
            .map(|table| table.entries())
            .unwrap_or_default()
    } else if value.is_list() {
        let mut elements = value.one_or_many();
        elements.retain(Value::is_table);
        elements
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::diagnostic::Source;
    use crate::plan::reader::Document;

    fn texts(text: &str) -> Vec<(String, String)> {
        let source = Source::new("t", text);
        let document = Document::parse(&source);
        let root = document.root().unwrap();
        let plans = inline_plans(&root);
        assert!(!document.findings().has_errors());
        plans
            .into_iter()
            .map(|plan| (plan.entry.key().to_owned(), plan.text))
            .collect()
    }

    #[test]
    fn each_patient_has_the_lines_that_are_theirs() {
        let found = texts(
            "[clinic]\nname = 'C' # [patients.x]\n[patients.a]\nname = 'A' # a note\n\n\
             [patients.b]\nname = 'B'\n[[patients.b.medication]]\nname = 'M'\nat = ['[', '08:00']\n\
             take = { mon = '1' }\n[patients.a.day]\nnoon = '12:00'\n[store]\ncache = '1 MiB'\n\
             [[patients.b.medication]]\nname = 'N'\n",
        );
        assert_eq!(
            found,
            [
                (
                    "a".to_owned(),
                    "[patients.a]\nname = 'A' # a note\n[patients.a.day]\nnoon = '12:00'\n"
                        .to_owned()
                ),
                (
                    "b".to_owned(),
                    "[patients.b]\nname = 'B'\n[[patients.b.medication]]\nname = 'M'\n\
                     at = ['[', '08:00']\ntake = { mon = '1' }\n[[patients.b.medication]]\n\
                     name = 'N'\n"
                        .to_owned()
                ),
            ]
        );
    }

    #[test]
    fn patients_without_a_header_have_their_keys() {
        let found = texts("patients.a.name = 'A'\npatients.a.day.noon = '11:00'\n");
        assert_eq!(
            found,
            [(
                "a".to_owned(),
                "name = 'A'\nday.noon = '11:00'\n".to_owned()
            )]
        );
        let found = texts(
            "[patients]\nb = { name = 'B' }\na.name = 'A'\na.medication = [{ name = 'M' }]\nc = 3\n",
        );
        assert_eq!(
            found,
            [
                ("b".to_owned(), "b = { name = 'B' }\n".to_owned()),
                (
                    "a".to_owned(),
                    "name = 'A'\nmedication = [{ name = 'M' }]\n".to_owned()
                ),
                ("c".to_owned(), "c = 3\n".to_owned()),
            ]
        );
        assert!(texts("[clinic]\n").is_empty());
        assert!(texts("patients = 3\n").is_empty());
    }

    #[test]
    fn a_change_elsewhere_does_not_change_a_patients_text() {
        let before = texts("[clinic]\nname = 'C'\n[patients.a]\nname = 'A'\n[log]\n");
        let after =
            texts("[log]\n[clinic]\nname = 'DDDD'\n[patients.b]\n[patients.a]\nname = 'A'\n");
        assert_eq!(before[0], after[1]);
    }
}
