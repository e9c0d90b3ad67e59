//! `config.example.toml` explains every key there is, and works as it stands.

use dosed::daemon::config::{Channel, Config, Environment, TABLES};
use dosed::messaging::wechat::callback::Mode;
use dosed::plan::diagnostic::Source;
use dosed::plan::reader::Document;

const EXAMPLE: &str = include_str!("../config.example.toml");

fn config(text: &str) -> Config {
    let source = Source::new("/srv/config.example.toml", text);
    let config = Config::parse(&source, &Environment::default());
    config.unwrap_or_else(|error| panic!("{error}"))
}

/// With the keys that stand in it as comments, since they have no default to show.
fn whole(text: &str) -> String {
    let keys = [
        "ca_file",
        "public",
        "public_url",
        "original_id",
        "hourly_max",
        "consent",
        "red_flags",
        "opening_hours",
        "out_of_hours",
        "texts",
        "wechat",
        "url",
    ];
    let text = text.replace("\n# [deadman]\n", "\n[deadman]\n");
    keys.iter().fold(text, |text, key| {
        text.replace(&format!("\n# {key} ="), &format!("\n{key} ="))
    })
}

#[test]
fn the_example_is_accepted_without_a_doubt() {
    let config = config(EXAMPLE);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(matches!(config.messaging.channel, Channel::Console(_)));
}

#[test]
fn the_example_is_right_for_wechat_too() {
    let text = EXAMPLE.replace("channel = \"console\"", "channel = \"wechat\"");
    let config = config(&whole(&text));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let Channel::WeChat(wechat) = config.messaging.channel else {
        panic!("{text}")
    };
    assert_eq!(wechat.appid, "wx0123456789abcdef");
    let callback = wechat.callback.unwrap();
    assert_eq!(callback.path, "/wechat");
    assert_eq!(callback.mode, Mode::Secure);
    assert_eq!(callback.original_id.as_deref(), Some("gh_0123456789ab"));
    assert_eq!(config.http.public, Some("127.0.0.1:8381".parse().unwrap()));
    assert_eq!(
        config.http.public_url.as_deref(),
        Some("https://clinic.example")
    );
    assert_eq!(wechat.ca_file.unwrap(), std::path::Path::new("/srv/ca.pem"));
}

#[test]
fn every_key_stands_in_the_example() {
    let source = Source::new("config.example.toml", whole(EXAMPLE));
    let document = Document::parse(&source);
    let mut absent = Vec::new();
    for table in TABLES {
        let mut found = document.root();
        for name in table.table.split('.').filter(|name| !name.is_empty()) {
            found = found.and_then(|found| {
                let value = found.get(name)?;
                if value.is_list() {
                    value.list()?.into_iter().next()?.table()
                } else {
                    value.table()
                }
            });
        }
        for key in table.keys.known {
            // The two spellings of one table: the example has the other.
            let twin = table.table.is_empty() && *key == "day";
            if !twin && found.as_ref().is_none_or(|found| found.get(key).is_none()) {
                absent.push(format!("[{}] {key}", table.table));
            }
        }
    }
    assert!(absent.is_empty(), "not in config.example.toml: {absent:?}");
}

#[test]
fn every_key_of_the_example_is_explained() {
    let mut explained = false;
    let mut bare = Vec::new();
    let mut table = "";
    for line in EXAMPLE.lines() {
        if line.starts_with('[') {
            table = line;
        }
        // The words of the day, the fields of a template and patients are explained as a whole.
        let as_a_whole = [
            "[clinic.day",
            "[wechat.templates",
            "[patients",
            "[[patients",
        ];
        let single = !as_a_whole.iter().any(|start| table.starts_with(start));
        let is_key = line.split_once(" = ").is_some_and(|(key, _)| {
            key.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        if single && is_key && !explained {
            bare.push(line);
        }
        explained = line.starts_with("# ");
    }
    assert!(bare.is_empty(), "without a sentence: {bare:?}");
}

#[test]
fn the_defaults_that_the_example_names_are_those_of_the_code() {
    let given = config(EXAMPLE);
    let silent = config("[clinic]\ntimezone = \"Asia/Shanghai\"\n");
    assert_eq!(given.clinic.plans, silent.clinic.plans);
    assert_eq!(given.clinic.watch, silent.clinic.watch);
    assert_eq!(
        given.clinic.defaults.language,
        silent.clinic.defaults.language
    );
    assert_eq!(given.clinic.defaults.day, silent.clinic.defaults.day);
    assert_eq!(given.talk.emergency_number, silent.talk.emergency_number);
    assert_eq!(given.talk.red_flags, silent.talk.red_flags);
    let staff = config(
        "[clinic]\ntimezone = \"Asia/Shanghai\"\n[[staff]]\nname = \"Dr Hao\"\n\
         quiet_hours = \"21:30-07:00\"\n",
    );
    assert_eq!(given.talk.staff, staff.talk.staff);
    assert_eq!(given.store, silent.store);
    assert_eq!(given.http, silent.http);
    assert_eq!(given.log, silent.log);
    assert_eq!(given.messaging.concurrency, silent.messaging.concurrency);
    assert_eq!(given.messaging.rate, silent.messaging.rate);
    assert_eq!(given.messaging.timeout, silent.messaging.timeout);
    assert_eq!(given.messaging.hourly_max, silent.messaging.hourly_max);
    let least = dosed::daemon::brake::default_max(0);
    let shown = EXAMPLE.replace("\n# hourly_max =", "\nhourly_max =");
    let shown = config(&shown).messaging.hourly_max;
    assert_eq!(shown.map(std::num::NonZeroU64::get), Some(least));
}
