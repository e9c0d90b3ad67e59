//! Tests of the whole configuration; those of single texts are beside their parsers.

use super::*;
use crate::messaging::wechat::callback::Mode;
use crate::plan::Language;
use jiff::civil;

const MINIMAL: &str = "[clinic]\ntimezone = \"Asia/Shanghai\"\n";
const WECHAT: &str = "[clinic]\ntimezone = \"Asia/Shanghai\"\n[messaging]\nchannel = \"wechat\"\n\
     [wechat]\nappid = \"wx1\"\nsecret_file = \"wechat-secret\"\n\
     [wechat.templates.dose]\nid = \"T1\"\ndata.thing1 = \"{{ medications }}\"\n";

fn parse(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    Config::parse(&Source::new("/etc/dosed/dosed.toml", text), environment)
}

fn parsed(text: &str) -> Config {
    parse(text, &Environment::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The findings as `LINE:COL message`.
fn refused(text: &str) -> Vec<String> {
    let error = parse(text, &Environment::default()).expect_err(text);
    assert_eq!(error.kind, ConfigErrorKind::Invalid);
    error.diagnostics.iter().map(shown).collect()
}

fn shown(diagnostic: &Diagnostic) -> String {
    let at = diagnostic.position();
    format!("{}:{} {}", at.line, at.column, diagnostic.message())
}

#[test]
fn a_time_zone_is_enough() {
    let config = parsed(MINIMAL);
    assert_eq!(config.path, Path::new("/etc/dosed/dosed.toml"));
    assert_eq!(config.clinic.name, "");
    assert_eq!(config.clinic.defaults.zone.name(), "Asia/Shanghai");
    assert_eq!(config.clinic.defaults.language, Language::ZhCn);
    assert_eq!(config.clinic.plans, Path::new("/etc/dosed/plans.d"));
    assert!(config.clinic.watch);
    assert_eq!(config.clinic.defaults.quiet_hours, None);
    assert_eq!(config.store.path, Path::new("/etc/dosed/dosed.redb"));
    assert_eq!(config.store.cache_bytes, 16 << 20);
    assert_eq!(config.http.private, "127.0.0.1:8380".parse().unwrap());
    assert_eq!(config.http.public, None);
    assert_eq!(config.http.admin, Path::new("/etc/dosed/dosed.sock"));
    assert!(matches!(
        config.messaging.channel,
        Channel::Console(console::Format::Human)
    ));
    assert_eq!(config.messaging.concurrency.get(), 64);
    assert_eq!(config.messaging.rate.map(NonZeroU32::get), Some(80));
    assert_eq!(config.messaging.timeout, Duration::from_secs(10));
    assert_eq!(
        config.log,
        Log {
            level: "info".to_owned(),
            format: LogFormat::Auto
        }
    );
    assert!(config.warnings.is_empty());
}

#[test]
fn every_key_is_taken_up() {
    let config = parsed(
        "[clinic]\nname = \"Dr Hao\"\ntimezone = \"Europe/London\"\nlanguage = \"en\"\n\
         plans = \"p\"\nwatch = false\nquiet_hours = \"21:30-07:00\"\n\
         [store]\npath = \"/var/s.redb\"\ncache = \"1 GiB\"\n\
         [http]\nprivate = \"[::1]:0\"\nadmin = \"/run/a.sock\"\n\
         [messaging]\nchannel = \"console\"\nformat = \"json\"\nconcurrency = 1\nrate = 0\n\
         timeout = \"0.5 s\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n\
         [patients.a]\nname = \"A\"\n",
    );
    assert_eq!(config.clinic.name, "Dr Hao");
    assert_eq!(config.clinic.defaults.language, Language::En);
    assert_eq!(config.clinic.plans, Path::new("/etc/dosed/p"));
    assert!(!config.clinic.watch);
    assert_eq!(
        config.clinic.defaults.quiet_hours.unwrap().until,
        civil::time(7, 0, 0, 0)
    );
    assert_eq!(config.store.path, Path::new("/var/s.redb"));
    assert_eq!(config.store.cache_bytes, 1 << 30);
    assert_eq!(config.http.private, "[::1]:0".parse().unwrap());
    assert_eq!(config.http.admin, Path::new("/run/a.sock"));
    assert!(matches!(
        config.messaging.channel,
        Channel::Console(console::Format::Json)
    ));
    assert_eq!(config.messaging.concurrency.get(), 1);
    assert_eq!(config.messaging.rate, None);
    assert_eq!(config.messaging.timeout, Duration::from_millis(500));
    assert_eq!(
        config.log,
        Log {
            level: "debug".to_owned(),
            format: LogFormat::Json
        }
    );
}

#[test]
fn relative_paths_go_where_the_service_manager_says() {
    let environment = Environment {
        current_directory: "/srv".into(),
        state_directory: Some("/var/lib/dosed".into()),
        credentials_directory: Some("/run/credentials/dosed.service".into()),
        runtime_directory: Some("/run/dosed".into()),
        log: Some("debug".to_owned()),
        journal_stream: None,
    };
    let source = Source::new("etc/dosed.toml", WECHAT);
    let config = Config::parse(&source, &environment).unwrap();
    assert_eq!(config.path, Path::new("/srv/etc/dosed.toml"));
    assert_eq!(config.store.path, Path::new("/var/lib/dosed/dosed.redb"));
    assert_eq!(config.http.admin, Path::new("/run/dosed/dosed.sock"));
    assert_eq!(config.clinic.plans, Path::new("/srv/etc/plans.d"));
    assert_eq!(config.log.level, "debug");

    let beside_the_store = parsed(&format!("{MINIMAL}[store]\npath = \"/data/x.redb\"\n"));
    assert_eq!(beside_the_store.http.admin, Path::new("/data/dosed.sock"));
}

#[test]
fn directories_of_the_service_manager_are_absolute_and_the_first_of_several() {
    for (value, expected) in [
        (None, None),
        (Some(""), None),
        (Some("/var/lib/dosed"), Some("/var/lib/dosed")),
        (
            Some("/var/lib/dosed:/var/lib/other"),
            Some("/var/lib/dosed"),
        ),
        (Some("relative"), None),
    ] {
        let found = first_directory(value.map(OsString::from));
        assert_eq!(found.as_deref(), expected.map(Path::new), "{value:?}");
    }
}

#[test]
fn all_that_is_wrong_is_listed_at_its_place() {
    let found = refused(
        "[clinic]\ntimezone = \"Asia/Peking\"\nlanguage = \"de\"\nquiet_hours = \"late\"\n\
         [store]\ncache = \"16\"\npath = \" \"\n[http]\nprivate = \"localhost\"\n\
         [messaging]\nchanel = \"wechat\"\nconcurrency = 0\nrate = -1\ntimeout = \"1 h\"\n\
         format = \"xml\"\n[log]\nlevel = \"loud\"\nformat = 1\n[clinics]\n",
    );
    let places: Vec<&str> = found
        .iter()
        .map(|found| found.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "2:12", "3:12", "4:15", "6:9", "7:8", "9:11", "11:1", "12:15", "13:8", "14:11",
            "15:10", "17:9", "18:10", "19:2"
        ],
        "{found:#?}"
    );
    assert!(
        found[6].contains("nearest known one is `channel`"),
        "{}",
        found[6]
    );
    assert!(
        found[13].contains("nearest known one is `clinic`"),
        "{}",
        found[13]
    );
}

#[test]
fn each_refusal_says_what_is_wrong() {
    for (text, expected) in [
        ("", "1:1 the table [clinic] is missing"),
        ("[clinic]\n", "1:1 `timezone` is missing"),
        (
            "clinic = 1\n",
            "1:10 `clinic` must be a table, not a number",
        ),
        (
            &format!("{MINIMAL}[messaging]\nchannel = \"wechat\"\n"),
            "3:1 the channel is \"wechat\", and the table [wechat] is missing",
        ),
        (
            &format!("{MINIMAL}[messaging]\nchannel = \"sms\"\n"),
            "4:11 `channel` cannot be \"sms\"",
        ),
        (
            &format!("{MINIMAL}[wechat]\nappid = \"wx1\"\n"),
            "3:2 [wechat] is filled in, and `channel` does not say whether it is used",
        ),
        (
            &format!("{MINIMAL}patients = 3\n"),
            "3:1 unknown key `patients`",
        ),
        (
            &format!("[store]\ncache = \"1 KiB\"\n{MINIMAL}"),
            "2:9 `cache` must be from \"1 MiB\" to \"1024 GiB\", not \"1 KiB\"",
        ),
        (
            &format!("{MINIMAL}[store]\npath = \"/{}/x.redb\"\n", "d".repeat(100)),
            "1:1 the path of the administration socket",
        ),
        (
            &WECHAT.replace("[wechat]\n", "[wechat]\napi_base = \"api.weixin.qq.com\"\n"),
            "6:12 `wechat.api_base` must be an http:// or https:// address",
        ),
        (
            &WECHAT.replace("appid = \"wx1\"\n", ""),
            "5:1 `appid` is missing",
        ),
    ] {
        let found = refused(text);
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{text}\n{found:#?}"
        );
    }
}

#[test]
fn addresses_of_the_api_are_http_without_a_slash_at_the_end() {
    let with =
        |base: &str| WECHAT.replace("[wechat]\n", &format!("[wechat]\napi_base = \"{base}\"\n"));
    for (given, kept, warned) in [
        (
            "https://api.weixin.qq.com",
            "https://api.weixin.qq.com",
            false,
        ),
        (
            "https://gateway.example:8443/wx/",
            "https://gateway.example:8443/wx/",
            false,
        ),
        ("http://127.0.0.1:9", "http://127.0.0.1:9", false),
        ("http://[::1]:9", "http://[::1]:9", false),
        ("http://gateway.example", "http://gateway.example", true),
    ] {
        let config = parsed(&with(given));
        let Channel::WeChat(wechat) = &config.messaging.channel else {
            panic!("{given}")
        };
        assert_eq!(wechat.api_base, kept);
        assert_eq!(!config.warnings.is_empty(), warned, "{given}");
    }
    for bad in [
        "",
        "https://",
        "ftp://x",
        "https://user@x",
        "https://x?y",
        "https://x y",
    ] {
        assert!(!refused(&with(bad)).is_empty(), "{bad}");
    }
}

#[test]
fn the_account_is_not_looked_at_on_the_console() {
    let text = format!("{MINIMAL}[messaging]\nchannel = \"console\"\n[wechat]\nnonsense = 1\n");
    assert!(matches!(
        parsed(&text).messaging.channel,
        Channel::Console(_)
    ));
}

#[test]
fn a_listener_for_everybody_is_doubted() {
    let config = parsed(&format!("{MINIMAL}[http]\nprivate = \"0.0.0.0:8380\"\n"));
    assert_eq!(config.warnings.len(), 1);
    assert!(!config.warnings[0].is_error());
    assert!(config.warnings[0].message().contains("other machines"));
}

#[test]
fn a_configuration_that_cannot_be_read_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dosed.toml");
    let load = |path: &Path| Config::load(path, &Environment::default()).unwrap_err();

    assert_eq!(load(&file).kind, ConfigErrorKind::Missing);
    assert!(load(&file).to_string().contains("dosed.toml:1:1: error: "));
    assert_eq!(load(directory.path()).kind, ConfigErrorKind::Io);
    std::fs::write(&file, b"[clinic]\nname = \"\xff\"\n").unwrap();
    let error = load(&file);
    assert_eq!(error.kind, ConfigErrorKind::Invalid);
    assert!(
        error.to_string().contains("dosed.toml:2:9: error: "),
        "{error}"
    );
    std::fs::write(&file, MINIMAL).unwrap();
    assert!(Config::load(&file, &Environment::default()).is_ok());
}

#[test]
fn keys_that_need_a_restart_are_named() {
    let old = parsed(MINIMAL);
    assert!(old.restart_keys_changed(&parsed(MINIMAL)).is_empty());
    let reloaded = "[clinic]\nname = \"B\"\ntimezone = \"Europe/London\"\nwatch = false\n\
                    [messaging]\nrate = 5\n";
    assert!(old.restart_keys_changed(&parsed(reloaded)).is_empty());
    let restarted = format!(
        "{MINIMAL}[store]\npath = \"x\"\ncache = \"1 MiB\"\n[http]\nprivate = \"127.0.0.1:1\"\n\
         admin = \"y\"\n[log]\nlevel = \"warn\"\nformat = \"json\"\n[messaging]\nformat = \"json\"\n\
         concurrency = 2\ntimeout = \"1 s\"\n"
    );
    assert_eq!(
        old.restart_keys_changed(&parsed(&restarted)),
        [
            "store.path",
            "store.cache",
            "http.private",
            "http.admin",
            "log.level",
            "log.format",
            "messaging.concurrency",
            "messaging.timeout",
            "messaging.format",
        ]
    );
    assert_eq!(
        old.restart_keys_changed(&parsed(WECHAT)),
        ["messaging.channel"]
    );
    let other = WECHAT
        .replace("wx1", "wx2")
        .replace("wechat-secret", "other")
        .replace(
            "[wechat]",
            "[wechat]\napi_base = \"https://x\"\nca_file = \"ca.pem\"",
        );
    assert_eq!(
        parsed(WECHAT).restart_keys_changed(&parsed(&other)),
        [
            "wechat.api_base",
            "wechat.appid",
            "wechat.ca_file",
            "wechat.secret_file"
        ]
    );
    let template = WECHAT.replace("medications", "names");
    assert!(
        parsed(WECHAT)
            .restart_keys_changed(&parsed(&template))
            .is_empty()
    );
}

#[test]
fn words_of_the_day_stand_in_one_of_two_places() {
    use crate::plan::DayWord;
    let noon = |text: &str| parsed(text).clinic.defaults.day.time(DayWord::Noon);
    assert_eq!(noon(MINIMAL), civil::time(12, 0, 0, 0));
    assert_eq!(
        noon(&format!("{MINIMAL}day.noon = \"11:30\"\n")),
        civil::time(11, 30, 0, 0)
    );
    assert_eq!(
        noon(&format!("{MINIMAL}[day]\nnoon = 11:45\n")),
        civil::time(11, 45, 0, 0)
    );
    let both = format!("{MINIMAL}day.noon = \"11:30\"\n[day]\nnoon = \"11:30\"\n");
    assert_eq!(
        refused(&both),
        ["4:2 the words of the day stand here and in [clinic.day]"]
    );
    let wrong = refused(&format!(
        "{MINIMAL}[clinic.day]\nnon = \"11:30\"\nnoon = \"x\"\n"
    ));
    assert!(wrong[0].starts_with("4:1 unknown key `non`"), "{wrong:?}");
    assert!(wrong[1].starts_with("5:8 "), "{wrong:?}");
}

#[test]
fn templates_are_refused_at_the_field_that_is_wrong() {
    let base = WECHAT.split("[wechat.templates").next().unwrap();
    for (templates, expected) in [
        ("", "5:1 `templates` is missing"),
        (
            "[wechat.templates.doze]\nid = \"T\"\n",
            "8:19 unknown key `doze`; the nearest known one is `dose`",
        ),
        (
            "[wechat.templates.dose]\ndata.thing1 = \"x\"\n",
            "8:1 `id` is missing",
        ),
        (
            "[wechat.templates.dose]\nid = \"T\"\n",
            "8:1 `data` is missing",
        ),
        (
            "[wechat.templates.dose]\n[wechat.templates.notice]\nid = \"T\"\n",
            "9:1 `data` is missing",
        ),
        (
            "[wechat.templates.dose]\nid = \"no id\"\ndata.thing1 = \"x\"\n",
            "9:6 must be the template's id",
        ),
        (
            "[wechat.templates.dose]\nid = \"T\"\ndata.thing1 = \"x\"\ndata.thing2 = 7\n",
            "11:15 `thing2` must be a text in quotes",
        ),
        (
            "[wechat.templates.dose]\nid = \"T\"\n[wechat.templates.dose.data]\nthing1 = \"x\"\n\
             thing2 = \"{{ pateint }}\"\n",
            "12:10 there is no variable `pateint`",
        ),
        (
            "[wechat.templates.dose]\nid = \"T\"\n[wechat.templates.dose.data]\n\
             \"thing1.DATA\" = \"x\"\n",
            "11:17 write `thing1`, without `.DATA`",
        ),
        (
            "[wechat.templates.check_in]\nid = \"T\"\ndata.thing1 = \"{{ question\"\n",
            "10:15 line 1: ",
        ),
    ] {
        let found = refused(&format!("{base}{templates}"));
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{templates}\n{found:#?}"
        );
    }
}

#[test]
fn a_secret_is_read_only_when_nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wechat-secret");
    let source = Source::new(directory.path().join("dosed.toml"), WECHAT);
    let beside = Environment::default();
    let credentials = Environment {
        credentials_directory: Some(directory.path().to_path_buf()),
        ..Environment::default()
    };
    let read = |environment: &Environment| {
        let config = Config::parse(&source, environment).unwrap();
        let secret = config
            .secret()
            .map(|secret| secret.unwrap().expose().to_owned());
        secret.map_err(|error| {
            let text = error.to_string();
            assert!(text.contains(file.to_str().unwrap()), "{text}");
            assert!(text.contains("dosed.toml:7:15: error: "), "{text}");
            assert!(!text.contains("S3CRET"), "{text}");
            error.kind
        })
    };
    assert_eq!(read(&beside), Err(ConfigErrorKind::Invalid), "missing");

    for (content, mode, environment, expected) in [
        ("S3CRET\n", 0o600, &beside, Ok("S3CRET")),
        ("S3CRET", 0o400, &beside, Ok("S3CRET")),
        ("S3CRET", 0o440, &credentials, Ok("S3CRET")),
        ("S3CRET", 0o640, &beside, Err(ConfigErrorKind::Exposed)),
        ("S3CRET", 0o440, &beside, Err(ConfigErrorKind::Exposed)),
        ("S3CRET", 0o604, &beside, Err(ConfigErrorKind::Exposed)),
        ("S3CRET", 0o444, &credentials, Err(ConfigErrorKind::Exposed)),
        ("S3CRET", 0o460, &credentials, Err(ConfigErrorKind::Exposed)),
        (" \n", 0o600, &beside, Err(ConfigErrorKind::Invalid)),
        (
            "S3CRET S3CRET",
            0o600,
            &beside,
            Err(ConfigErrorKind::Invalid),
        ),
    ] {
        let _ = std::fs::remove_file(&file);
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(
            read(environment),
            expected.map(str::to_owned),
            "{content:?} {mode:o}"
        );
    }
    let below = directory.path().join("credentials");
    let outside = Source::new(
        directory.path().join("dosed.toml"),
        WECHAT.replace("wechat-secret", "../wechat-secret"),
    );
    let environment = Environment {
        credentials_directory: Some(below.clone()),
        ..Environment::default()
    };
    std::fs::create_dir(&below).unwrap();
    std::fs::write(&file, "S3CRET").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o440)).unwrap();
    let config = Config::parse(&outside, &environment).unwrap();
    assert_eq!(
        config.secret().unwrap_err().kind,
        ConfigErrorKind::Exposed,
        "outside"
    );

    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(read(&beside), Err(ConfigErrorKind::Invalid), "a directory");
    assert!(parsed(MINIMAL).secret().unwrap().is_none());
}

/// With a public listener, and these lines in `[wechat]`.
fn public(lines: &str) -> String {
    let wechat = format!("[wechat]\n{lines}");
    format!(
        "{}[http]\npublic = \"127.0.0.1:0\"\n",
        WECHAT.replace("[wechat]\n", &wechat)
    )
}

#[test]
fn a_public_listener_has_a_callback_with_its_secrets() {
    let both = "token_file = \"t\"\naes_key_file = \"k\"\n";
    let callback = |text: &str| match parsed(text).messaging.channel {
        Channel::WeChat(wechat) => wechat.callback,
        Channel::Console(_) => panic!("{text}"),
    };
    let found = callback(&public(both)).unwrap();
    assert_eq!(found.path, "/wechat");
    assert_eq!(found.mode, Mode::Secure);
    assert_eq!(found.original_id, None);
    let found = callback(&public(&format!(
        "{both}mode = \"compatible\"\ncallback_path = \"/a-b/c.d_e\"\noriginal_id = \"gh_1\"\n"
    )));
    let found = found.unwrap();
    assert_eq!(found.path, "/a-b/c.d_e");
    assert_eq!(found.mode, Mode::Compatible);
    assert_eq!(found.original_id.as_deref(), Some("gh_1"));
    let plain = public("mode = \"plain\"\ntoken_file = \"t\"\n");
    assert_eq!(callback(&plain).unwrap().mode, Mode::Plain);
    let warnings = parsed(&plain).warnings;
    assert_eq!(warnings.len(), 1);
    assert!(shown(&warnings[0]).starts_with("6:8 what contacts write travels unencrypted"));
    assert_eq!(callback(WECHAT), None, "without a listener none is needed");

    for (text, expected) in [
        (public(""), "5:1 `token_file` is missing"),
        (
            public("token_file = \"t\"\n"),
            "5:1 `aes_key_file` is missing",
        ),
        (public("mode = \"open\"\n"), "6:8 `mode` cannot be \"open\""),
        (
            public("callback_path = \"wechat\"\n"),
            "6:17 `callback_path` must be a slash",
        ),
        (
            public("callback_path = \"/{x}\"\n"),
            "6:17 `callback_path` must be a slash",
        ),
        (
            public("callback_path = \"//x\"\n"),
            "6:17 `callback_path` must be a slash",
        ),
        (
            WECHAT.replace("[wechat]\n", "[wechat]\ncallback_path = \"/w?x\"\n"),
            "6:17 `callback_path` must be a slash",
        ),
        (
            format!("{MINIMAL}[http]\npublic = \"127.0.0.1:0\"\n"),
            "4:10 nothing is to be served there",
        ),
        (
            format!("{MINIMAL}[http]\npublic = \"all\"\n"),
            "4:10 `all` is not an IP address and a port",
        ),
    ] {
        let found = refused(&text);
        assert!(
            found.iter().any(|found| found.starts_with(expected)),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn secrets_of_the_callback_are_read_as_carefully_as_the_accounts() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str, mode: u32| {
        let file = directory.path().join(name);
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let text = public("token_file = \"t\"\naes_key_file = \"k\"\n");
    let source = Source::new(directory.path().join("dosed.toml"), text);
    let config = Config::parse(&source, &Environment::default()).unwrap();
    let kind = || config.callback_secrets().err().map(|error| error.kind);
    assert_eq!(kind(), Some(ConfigErrorKind::Invalid), "missing");
    write("t", "T0KEN\n", 0o600);
    write("k", "K3Y\n", 0o644);
    assert_eq!(kind(), Some(ConfigErrorKind::Exposed));
    write("k", "K3Y\n", 0o600);
    let secrets = config.callback_secrets().unwrap().unwrap();
    assert_eq!(secrets.token.expose(), "T0KEN");
    assert_eq!(secrets.aes_key.unwrap().expose(), "K3Y");
    write("t", "T0KEN\n", 0o640);
    let error = config.callback_secrets().err().unwrap();
    assert_eq!(error.kind, ConfigErrorKind::Exposed);
    assert!(!error.to_string().contains("T0KEN"), "{error}");
    assert!(parsed(WECHAT).callback_secrets().unwrap().is_none());
    assert!(parsed(MINIMAL).callback_secrets().unwrap().is_none());
}

#[test]
fn keys_of_the_callback_need_a_restart() {
    let old = public("token_file = \"t\"\naes_key_file = \"k\"\n");
    let new = public(
        "token_file = \"t2\"\naes_key_file = \"k2\"\nmode = \"compatible\"\n\
         callback_path = \"/x\"\noriginal_id = \"gh_1\"\n",
    )
    .replace("127.0.0.1:0", "127.0.0.1:1");
    let mut changed = parsed(&old).restart_keys_changed(&parsed(&new));
    changed.sort_unstable();
    assert_eq!(
        changed,
        [
            "http.public",
            "wechat.aes_key_file",
            "wechat.callback_path",
            "wechat.mode",
            "wechat.original_id",
            "wechat.token_file",
        ]
    );
}

#[test]
fn certificates_that_cannot_be_read_name_their_file() {
    let directory = tempfile::tempdir().unwrap();
    let text = WECHAT.replace("[wechat]", "[wechat]\nca_file = \"ca.pem\"");
    let source = Source::new(directory.path().join("dosed.toml"), text);
    let config = Config::parse(&source, &Environment::default()).unwrap();
    let error = config.ca_pem().unwrap_err();
    assert_eq!(error.kind, ConfigErrorKind::Invalid);
    assert!(error.to_string().contains("ca.pem"), "{error}");
    std::fs::write(directory.path().join("ca.pem"), "PEM").unwrap();
    assert_eq!(config.ca_pem().unwrap().as_deref(), Some(&b"PEM"[..]));
    assert_eq!(parsed(WECHAT).ca_pem().unwrap(), None);
}
