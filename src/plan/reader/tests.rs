use super::*;
use proptest::prelude::*;

/// Reads `text` and gives all findings as `LINE:COL message | help`.
fn findings(text: &str, read: impl FnOnce(Table<'_>)) -> Vec<String> {
    let source = Source::new("t", text);
    let document = Document::parse(&source);
    if let Some(root) = document.root() {
        read(root);
    }
    let show = |found: &Diagnostic| {
        let at = found.position();
        let help = found
            .help()
            .map(|help| format!(" | {help}"))
            .unwrap_or_default();
        format!("{}:{} {}{help}", at.line, at.column, found.message())
    };
    document.finish().iter().map(show).collect()
}

#[test]
fn several_syntax_errors_are_found_in_one_run() {
    let found = findings(
        "a = 1\nb = oops\nd = 2026-02-30\n[c\n[e]\na =\n[e]\n",
        |_| panic!("a text with wrong syntax has no values"),
    );
    assert_eq!(
        found,
        [
            "2:5 string values must be quoted, expected literal string | \
             write it in quotes: \"oops\"",
            "3:5 invalid date, expected day between 01 and 28 | write: d = 2026-02-28",
            "4:3 unclosed table, expected `]` | write: [c]",
            "6:4 the value is missing | a line is a key, `=` and a value, texts in quotes: take = \"1 tablet\"",
        ]
    );
}

#[test]
fn syntax_errors_help_those_who_type_chinese() {
    for (text, help) in [
        ("name = “王秀兰”", "write `\"` instead of `“`"),
        ("name ＝ \"王秀兰\"", "write `=` instead of `＝`"),
        ("【day】", "write `[` instead of `【`"),
        ("at = morning # 早上", "write it in quotes: \"morning\""),
        ("take：\"1片\"", "write `=` instead of `：`"),
        (
            "at = [\"08:00\"，\"20:00\"]",
            "write `,` between the values of a list",
        ),
        ("start = 2026-3-2", "write: start = 2026-03-02"),
        ("start = 2026/03/02", "write: start = 2026-03-02"),
        ("start = 2027-02-29", "write: start = 2027-02-28"),
        ("start = 2026-13-01", "write: start = 2026-03-02"),
        ("at = 8:00", "write: at = \"08:00\""),
        ("take = \"1 tablet", "write: take = \"1 tablet\""),
        ("[[medication]", "write: [[medication]]"),
        ("take \"1 tablet\"", "take = \"1 tablet\""),
        (
            "once = 2026-04-30T24:00:00",
            "write: once = 2026-04-30T08:00:00",
        ),
        ("nudge = [\"1 min\"", "write: nudge = [\"1 min\"]"),
        ("take = { mon = \"1\"", "write: take = { mon = \"1\" }"),
        ("days = \"mon\",", "write: days = \"mon\""),
        ("note: \"x\"", "write: note = \"x\""),
    ] {
        let found = findings(text, |_| ());
        assert!(found[0].ends_with(help), "{text}: {found:#?}");
    }
    let found = findings("id = 1\nid = 2", |_| ());
    assert_eq!(
        found,
        ["2:1 `id` is given twice | keep one of the two and leave the other out"]
    );
}

#[test]
fn unknown_keys_name_the_nearest_known_one() {
    const KEYS: Keys = Keys::new(&["name", "medication", "check_in"]).with_not_yet(&["steps"]);
    let found = findings(
        "nmae = 1\nsteps = 2\nfrequency = 3\n[[medicaton]]\n[Check_In]\n",
        |root| {
            root.check_keys(&KEYS);
        },
    );
    let known = "known here: name, medication, check_in";
    assert_eq!(
        found,
        [
            "1:1 unknown key `nmae`; the nearest known one is `name` | write: name = 1",
            "2:1 `steps` is not supported yet",
            &format!("3:1 unknown key `frequency`; the nearest known one is `check_in` | {known}"),
            "4:3 unknown key `medicaton`; the nearest known one is `medication` | write: [[medication]]",
            "5:2 unknown key `Check_In`; the nearest known one is `check_in` | write: [check_in]",
        ]
    );
}

#[test]
fn wrong_types_say_what_was_expected_and_how_to_write_it() {
    type Read = fn(&Value<'_>) -> bool;
    let text: Read = |value| value.text().is_some();
    let boolean: Read = |value| value.boolean().is_some();
    let integer: Read = |value| value.integer(1..=90).is_some();
    let date: Read = |value| value.date().is_some();
    let date_time: Read = |value| value.date_time().is_some();
    let list: Read = |value| value.list().is_some();
    let table: Read = |value| value.table().is_some();
    for (line, read, expected) in [
        (
            "k = 2",
            text,
            "1:5 `k` must be a text in quotes, not a number | write: k = \"2\"",
        ),
        (
            "k = ['a']",
            text,
            "1:5 `k` must be a text in quotes, not a list | write: k = \"a\"",
        ),
        (
            "k = 'yes'",
            boolean,
            "1:5 `k` must be true or false, not a text | write: k = true",
        ),
        (
            "k = '否'",
            boolean,
            "1:5 `k` must be true or false, not a text | write: k = false",
        ),
        (
            "k = '10'",
            integer,
            "1:5 `k` must be a whole number, not a text | write: k = 10",
        ),
        (
            "k = 1.5",
            integer,
            "1:5 `k` must be a whole number, not a number | write: k = 1",
        ),
        (
            "k = 91",
            integer,
            "1:5 `k` must be from 1 to 90, not 91 | write: k = 90",
        ),
        (
            "k = -1",
            integer,
            "1:5 `k` must be from 1 to 90, not -1 | write: k = 1",
        ),
        (
            "k = 99999999999999999999",
            integer,
            "1:5 `k` must be from 1 to 90, not 99999999999999999999 | write: k = 90",
        ),
        (
            "k = '2026-03-02'",
            date,
            "1:5 `k` must be a date without quotes, not a text | write: k = 2026-03-02",
        ),
        (
            "k = 2026-03-02T08:00:00",
            date,
            "1:5 `k` must be a date without a time, not a date with a time | write: k = 2026-03-02",
        ),
        (
            "k = 2026-03-02",
            date_time,
            "1:5 `k` must be a date with a time, not a date | write: k = 2026-03-02T08:00:00",
        ),
        (
            "k = 2026-03-02T08:00:00+08:00",
            date_time,
            "1:5 `k` must not have an offset: it is in the patient's time zone | write: k = 2026-03-02T08:00:00",
        ),
        (
            "k = 2026-03-02T08:00:60",
            date_time,
            "1:5 2026-03-02T08:00:60 is not a date and time of the calendar | write: k = 2026-03-02T08:00:00",
        ),
        (
            "k = 'x'",
            list,
            "1:5 `k` must be a list, not a text | write: k = ['x']",
        ),
        (
            "k = 'x'",
            table,
            "1:5 `k` must be a table, not a text | write [k] above its keys",
        ),
        (
            "[[k]]",
            table,
            "1:1 `k` can be there only once | write [k] with one bracket",
        ),
    ] {
        let found = findings(line, |root| {
            assert!(!read(&root.get("k").unwrap()), "{line}");
        });
        assert_eq!(found, [expected], "{line}");
    }
}

#[test]
fn entries_of_a_list_are_refused_each_at_its_place() {
    let found = findings("k = ['a', 2,\n 08:00]", |root| {
        let texts: Vec<_> = root
            .get("k")
            .unwrap()
            .one_or_many()
            .iter()
            .map(|value| value.text_or_time().map(Spanned::into_inner))
            .collect();
        assert_eq!(texts, [Some("a"), None, Some("08:00")]);
    });
    assert_eq!(
        found,
        ["1:11 each entry of `k` must be a text in quotes, not a number | write: \"2\""]
    );
}

#[test]
fn right_values_are_read_without_findings() {
    let text = "t = \"x\"\nb = true\ni = 0x1F\nd = 2026-03-02\ndt = 2026-03-02 06:30:00\n\
                one = 8\nempty = ''\n[[m]]\nname = 'a'\n[[m]]\nname = 'b'\n";
    let found = findings(text, |root| {
        assert_eq!(root.text("t").unwrap().into_inner(), "x");
        assert_eq!(root.boolean("b"), Some(true));
        assert_eq!(root.integer("i", 0..=100), Some(31));
        assert_eq!(root.get("d").unwrap().date(), Some(civil::date(2026, 3, 2)));
        let stamp = civil::date(2026, 3, 2).at(6, 30, 0, 0);
        assert_eq!(
            root.get("dt").unwrap().local_date(),
            Some(LocalDate::DateTime(stamp))
        );
        assert_eq!(root.get("one").unwrap().one_or_many().len(), 1);
        let tables = root.tables("m", &Keys::new(&["name"]));
        let names: Vec<_> = tables
            .iter()
            .map(|t| t.text("name").unwrap().into_inner())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(root.text("absent"), None);
        assert!(root.tables("absent", &Keys::new(&[])).is_empty());
        let order: Vec<&str> = root.entries().iter().map(Value::key).collect();
        assert_eq!(order, ["t", "b", "i", "d", "dt", "one", "empty", "m"]);
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn missing_and_blank_texts_are_refused_with_an_example() {
    let found = findings("blank = ' '\n[[m]]\n[n]", |root| {
        assert!(root.required_text("blank", "blank = \"x\"").is_none());
        for table in root.tables("m", &Keys::new(&[])) {
            assert!(table.required_text("name", "name = \"x\"").is_none());
        }
        assert!(root.tables("n", &Keys::new(&[])).is_empty());
    });
    assert_eq!(
        found,
        [
            "1:9 `blank` is empty | write: blank = \"x\"",
            "2:1 `name` is missing | write: name = \"x\"",
            "3:1 `n` must be a list of tables, not a table | write [[n]] with two brackets above each",
        ]
    );
}

#[test]
fn endless_findings_are_counted_not_listed() {
    let found = findings(&"x\n".repeat(5_000), |_| ());
    assert_eq!(found.len(), FINDINGS_MAX + 1);
    assert_eq!(
        found[FINDINGS_MAX],
        "5001:1 4900 more findings are not shown"
    );
    let text: Vec<String> = (0..500).map(|n| format!("k{n} = 1\n")).collect();
    let text = text.concat();
    let found = findings(&text, |root| root.check_keys(&Keys::new(&["a"])));
    assert_eq!(found.len(), FINDINGS_MAX + 1);
    assert_eq!(found[FINDINGS_MAX], "501:1 400 more findings are not shown");
}

proptest! {
    #[test]
    fn parsing_is_total_for_any_text(text in "([a-c.]{1,3} ?= ?|[\\[\\]{}\"',#\n\r\t :.TZ+0-9-]|王|“|true|\\PC){0,60}") {
        let source = Source::new("t", text);
        let document = Document::parse(&source);
        if let Some(root) = document.root() {
            for value in root.entries() {
                let _ = (value.text(), value.integer(0..=9), value.local_date(), value.table());
                for value in value.one_or_many() {
                    let _ = (value.text_or_time(), value.boolean(), value.list());
                }
            }
        }
        for found in document.finish() {
            prop_assert!(found.render(crate::plan::diagnostic::Colour::None).starts_with("t:"));
        }
    }
}
