//! From the configuration's text to its types, with all that is wrong at its place.

use super::deadman;
use super::values::{self, resolve};
use super::{
    Callback, Channel, Clinic, Config, Environment, Http, Log, LogFormat, Messaging, Store, Talk,
    WeChat, keys, secret::SecretFile,
};
use crate::messaging::MessageKind;
use crate::messaging::console;
use crate::messaging::wechat;
use crate::messaging::wechat::template::{TemplateConfig, Templates, TemplatesConfig};
use crate::plan::diagnostic::{Diagnostic, Source};
use crate::plan::reader::{Document, Findings, Table, Value};
use crate::plan::{self, Day, Defaults, Language, Problem, Zone};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Most requests under way at once: each holds a connection and a few kilobytes.
const CONCURRENCY: RangeInclusive<i64> = 1..=4096;
/// Messages a second.
const RATE: RangeInclusive<i64> = 0..=100_000;
/// Messages within an hour: there is no clinic without a ceiling.
const HOURLY_MAX: RangeInclusive<i64> = 1..=1_000_000_000;
/// Of one request.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(300);
/// redb needs some; more than the machine has is the operator's affair.
const BACKUPS_KEEP: RangeInclusive<i64> = 0..=10_000;

const CACHE_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 40;
/// `sun_path` of a Unix socket's address on Linux, without its closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Reads the whole text.
pub(super) fn config(
    source: &Arc<Source>,
    environment: &Environment,
) -> Result<Config, Vec<Diagnostic>> {
    let document = Document::parse(source);
    let path = environment.current_directory.join(source.path());
    let read = document.root().and_then(|root| {
        let directory = path.parent().unwrap_or(Path::new("/"));
        let deadman = deadman::read(&root);
        let read = Reader {
            findings: document.findings(),
            directory,
            environment,
        }
        .top(&root);
        read.map(|read| (read, deadman))
    });
    let failed = document.findings().has_errors();
    let findings = document.finish();
    match read {
        Some(((clinic, store, http, messaging, log, talk), deadman)) if !failed => Ok(Config {
            path,
            source: Arc::clone(source),
            clinic,
            store,
            http,
            messaging,
            log,
            talk,
            deadman,
            warnings: findings,
        }),
        _ => Err(findings),
    }
}

struct Reader<'a> {
    findings: &'a Findings,
    /// Of the configuration file, absolute.
    directory: &'a Path,
    environment: &'a Environment,
}

impl Reader<'_> {
    fn top(&self, root: &Table<'_>) -> Option<(Clinic, Store, Http, Messaging, Log, Talk)> {
        root.check_keys(&keys::TOP);
        if let Some(patients) = root.get("patients") {
            // Their content is read as plans: what is wrong there concerns one patient.
            let _ = patients.table();
        }
        let clinic = self.clinic(root);
        let store = self.store(root.table("store", &keys::STORE).as_ref());
        let http = self.http(root.table("http", &keys::HTTP).as_ref(), &store.path);
        let name = clinic.as_ref().map_or("", |clinic| &clinic.name);
        let messaging = self.messaging(root, name);
        let log = self.log(root.table("log", &keys::LOG).as_ref());
        let language = clinic
            .as_ref()
            .map_or(Language::default(), |clinic| clinic.defaults.language);
        let talk = self.talk(root, language);
        Some((clinic?, store, http?, messaging?, log, talk?))
    }

    fn talk(&self, root: &Table<'_>, language: Language) -> Option<Talk> {
        let clinic = root.get("clinic")?.table()?;
        let mut talk = Talk::read(root, &clinic, language);
        let messaging = root.get("messaging").and_then(|value| value.table());
        let texts = messaging
            .as_ref()
            .and_then(|table| path_text(table, "texts"));
        talk.texts = texts.map(|path| resolve(self.directory, path));
        Some(talk)
    }

    fn clinic(&self, root: &Table<'_>) -> Option<Clinic> {
        let example = "timezone = \"Asia/Shanghai\"";
        let Some(clinic) = root.get("clinic") else {
            self.findings.error_with_help(
                root.span(),
                "the table [clinic] is missing",
                format!("write [clinic] and below it {example}"),
            );
            return None;
        };
        let clinic = clinic.table()?;
        clinic.check_keys(&keys::CLINIC);
        let plans = path_text(&clinic, "plans");
        let zone = clinic.required_text("timezone", example).and_then(|name| {
            let zone = Zone::get(name.get_ref());
            if zone.is_err() {
                self.findings.error_with_help(
                    name.span(),
                    format!("unknown time zone `{}`", name.get_ref()),
                    "write a name of the IANA time zone database, e.g. \"Asia/Shanghai\"",
                );
            }
            zone.ok()
        });
        let language = match clinic.get("language") {
            None => Some(Language::default()),
            Some(value) => one_of(&value, &[("zh-CN", Language::ZhCn), ("en", Language::En)]),
        };
        let quiet_hours = clinic
            .get("quiet_hours")
            .and_then(|value| parsed(&value, plan::quiet_hours));
        let day = self.day(root, &clinic);
        Some(Clinic {
            name: clinic
                .text("name")
                .map_or("", |name| name.into_inner().trim())
                .to_owned(),
            plans: resolve(self.directory, plans.unwrap_or("plans.d")),
            watch: clinic.boolean("watch").unwrap_or(true),
            defaults: Defaults {
                zone: zone?,
                language: language?,
                quiet_hours,
                day,
                now: None,
            },
        })
    }

    /// `[clinic.day]`, or `[day]` at the top level as in a plan, but not both.
    fn day(&self, root: &Table<'_>, clinic: &Table<'_>) -> Day {
        let (inner, outer) = (clinic.get("day"), root.get("day"));
        if let (Some(_), Some(outer)) = (&inner, &outer) {
            self.findings.error_with_help(
                outer.key_span(),
                "the words of the day stand here and in [clinic.day]",
                "remove one of the two",
            );
        }
        let table = inner.or(outer).and_then(|value| value.table());
        table.map_or_else(Day::default, |table| Day::read(&table, &Day::default()))
    }

    fn store(&self, table: Option<&Table<'_>>) -> Store {
        let base = self
            .environment
            .state_directory
            .as_deref()
            .unwrap_or(self.directory);
        let path = table.and_then(|table| path_text(table, "path"));
        let cache_bytes = table
            .and_then(|table| table.get("cache"))
            .and_then(|value| {
                let bytes = parsed(&value, values::size)?;
                within(
                    &value,
                    bytes,
                    &CACHE_BYTES,
                    "from \"1 MiB\" to \"1024 GiB\"",
                )
            });
        let keep = table
            .and_then(|table| table.get("keep"))
            .and_then(|value| parsed(&value, values::keep));
        let backups = table.and_then(|table| path_text(table, "backups"));
        let reports = table.and_then(|table| path_text(table, "reports"));
        let count = |key, range| {
            let count = table?.get(key)?.integer(range)?;
            usize::try_from(count).ok()
        };
        Store {
            path: resolve(base, path.unwrap_or("dosed.redb")),
            cache_bytes: cache_bytes.unwrap_or(16 << 20),
            keep: keep.unwrap_or(values::years(15)),
            backups: resolve(base, backups.unwrap_or("backups")),
            backups_keep: count("backups_keep", BACKUPS_KEEP).unwrap_or(7),
            reports: resolve(base, reports.unwrap_or("reports")),
            reports_keep: count("reports_keep", BACKUPS_KEEP).unwrap_or(53),
        }
    }

    fn http(&self, table: Option<&Table<'_>>, store: &Path) -> Option<Http> {
        let get = |key| table.and_then(|table| table.get(key));
        let private = match get("private") {
            None => Some(SocketAddr::from(([127, 0, 0, 1], 8380))),
            Some(value) => {
                let address = parsed(&value, values::address);
                if address.is_some_and(|address| !address.ip().is_loopback()) {
                    self.findings.warning(
                        value.span(),
                        "health and metrics can be read from other machines: whoever reaches \
                         this address needs no password",
                    );
                }
                address
            }
        };
        let public = get("public").map(|value| parsed(&value, values::address));
        let public_url = get("public_url").map(|value| {
            if public.is_none() {
                value.error_with_help(
                    "nothing is served there: there is no public listener",
                    "write also the address where this machine is to listen for it: \
                     public = \"127.0.0.1:8381\"",
                );
            }
            parsed(&value, values::public_url)
        });
        let base = self.environment.runtime_directory.as_deref();
        let base = base.or(store.parent()).unwrap_or(self.directory);
        let given = table.and_then(|table| path_text(table, "admin"));
        let admin = resolve(base, given.unwrap_or("dosed.sock"));
        if admin.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            let span = get("admin").map(|value| value.span());
            let span = span.or(table.map(Table::span)).unwrap_or(0..0);
            self.findings.error_with_help(
                span,
                format!(
                    "the path of the administration socket, {}, has more than \
                     {SOCKET_PATH_BYTES_MAX} bytes, which no socket can have",
                    admin.display()
                ),
                "write a shorter path: [http] admin = \"/run/dosed/dosed.sock\"",
            );
        }
        Some(Http {
            private: private?,
            public: match public {
                None => None,
                Some(public) => Some(public?),
            },
            public_url: match public_url {
                None => None,
                Some(url) => Some(url?),
            },
            admin,
        })
    }

    fn messaging(&self, root: &Table<'_>, clinic: &str) -> Option<Messaging> {
        let table = root.table("messaging", &keys::MESSAGING);
        let get = |key| table.as_ref().and_then(|table| table.get(key));

        let format = get("format").map_or(Some(console::Format::Human), |value| {
            one_of(
                &value,
                &[
                    ("human", console::Format::Human),
                    ("json", console::Format::Json),
                ],
            )
        });
        let wechat = if let Some(value) = get("channel") {
            one_of(&value, &[("console", false), ("wechat", true)])?
        } else {
            // Whoever fills in [wechat] does not want patients' messages on the console.
            if let Some(wechat) = root.get("wechat") {
                self.findings.error_with_help(
                    wechat.key_span(),
                    "[wechat] is filled in, and `channel` does not say whether it is used",
                    "write [messaging] and below it channel = \"wechat\" or \"console\"",
                );
            }
            false
        };
        let http = root.get("http").and_then(|http| http.table());
        let public = http.as_ref().and_then(|http| http.get("public"));
        let has_page = http.is_some_and(|http| http.get("public_url").is_some());
        if !wechat
            && !has_page
            && let Some(public) = &public
        {
            public.error_with_help(
                "nothing is to be served there: the console has no callback",
                "remove `public`, or write `public_url` for the patients' page, or [messaging] and \
                 below it channel = \"wechat\"",
            );
        }
        let channel = if wechat {
            self.wechat(root, clinic, public.is_some())
                .map(|wechat| Channel::WeChat(Box::new(wechat)))
        } else {
            format.map(Channel::Console)
        };
        let integer = |key, range, default| match get(key) {
            None => Some(default),
            Some(value) => value.integer(range),
        };
        let concurrency = integer("concurrency", CONCURRENCY, 64);
        let rate = integer("rate", RATE, 80);
        let hourly_max = match get("hourly_max") {
            None => Some(None),
            Some(value) => value
                .integer(HOURLY_MAX)
                .map(|most| NonZeroU64::new(most.unsigned_abs())),
        };
        let timeout = match get("timeout") {
            None => Some(Duration::from_secs(10)),
            Some(value) => parsed(&value, plan::duration).and_then(|timeout| {
                let timeout = Duration::try_from(timeout).ok()?;
                within(&value, timeout, &TIMEOUT, "from \"0.1 s\" to \"5 min\"")
            }),
        };
        Some(Messaging {
            channel: channel?,
            concurrency: NonZeroUsize::new(concurrency?.unsigned_abs() as usize)?,
            rate: NonZeroU32::new(rate?.unsigned_abs() as u32),
            hourly_max: hourly_max?,
            timeout: timeout?,
        })
    }

    fn wechat(&self, root: &Table<'_>, clinic: &str, is_public: bool) -> Option<WeChat> {
        let Some(wechat) = root.get("wechat") else {
            self.findings.error_with_help(
                root.get("messaging")
                    .map_or(0..0, |messaging| messaging.span()),
                "the channel is \"wechat\", and the table [wechat] is missing",
                "write [wechat] with appid, secret_file and templates",
            );
            return None;
        };
        let wechat = wechat.table()?;
        wechat.check_keys(&keys::WECHAT);
        let api_base = match wechat.get("api_base") {
            None => Some("https://api.weixin.qq.com".to_owned()),
            Some(value) => self.api_base(&value),
        };
        let appid = wechat.required_text("appid", "appid = \"wx0123456789abcdef\"");
        let credentials = self.environment.credentials_directory.as_deref();
        let secret_file = wechat
            .required_text("secret_file", "secret_file = \"wechat-secret\"")
            .map(|given| SecretFile::below(self.directory, credentials, &given));
        let ca_file = path_text(&wechat, "ca_file").map(|given| resolve(self.directory, given));
        let templates = self.templates(&wechat, clinic);
        let callback = Callback::read(&wechat, self.directory, credentials, is_public);
        Some(WeChat {
            api_base: api_base?,
            appid: appid?.into_inner().trim().to_owned(),
            ca_file,
            templates: templates?,
            callback,
            secret_file: secret_file?,
        })
    }

    fn api_base(&self, value: &Value<'_>) -> Option<String> {
        let base = value.text()?.into_inner().trim();
        match wechat::check_api_base(base) {
            Err(error) => {
                let help = "write e.g. api_base = \"https://api.weixin.qq.com\"";
                value.error_with_help(error.to_string(), help);
                None
            }
            Ok(transport) => {
                if transport == wechat::Transport::Exposed {
                    self.findings.warning(
                        value.span(),
                        "the account's secret and patients' messages travel unencrypted",
                    );
                }
                Some(base.to_owned())
            }
        }
    }

    fn templates(&self, wechat: &Table<'_>, clinic: &str) -> Option<Templates> {
        let Some(table) = wechat.table("templates", &keys::TEMPLATES) else {
            if wechat.get("templates").is_none() {
                wechat.missing(
                    "templates",
                    "[wechat.templates.dose], a table for each kind of message",
                );
            }
            return None;
        };
        let mut written = TemplatesConfig::new();
        let mut complete = true;
        for kind in MessageKind::ALL {
            if table.get(kind.name()).is_none() {
                continue;
            }
            match table
                .table(kind.name(), &keys::TEMPLATE)
                .and_then(|table| template(&table))
            {
                Some(template) => {
                    written.insert(kind, template);
                }
                None => complete = false,
            }
        }
        let errors = match Templates::compile(&written, clinic) {
            Ok(templates) => return complete.then_some(templates),
            Err(errors) => errors,
        };
        for error in errors {
            let path = error
                .key
                .strip_prefix("wechat.templates.")
                .unwrap_or(&error.key);
            self.findings.error(place(&table, path), error.message);
        }
        None
    }

    fn log(&self, table: Option<&Table<'_>>) -> Log {
        let get = |key| table.and_then(|table| table.get(key));
        let level = get("level").and_then(|value| {
            parsed(&value, |text| {
                crate::daemon::logging::check_filter(text)
                    .map(|()| text.to_owned())
                    .map_err(|message| Problem {
                        message,
                        help: None,
                    })
            })
        });
        let format = get("format").and_then(|value| {
            one_of(
                &value,
                &[
                    ("auto", LogFormat::Auto),
                    ("journald", LogFormat::Journald),
                    ("human", LogFormat::Human),
                    ("json", LogFormat::Json),
                ],
            )
        });
        let level = self.environment.log.clone().or(level);
        Log {
            level: level.unwrap_or_else(|| "info".to_owned()),
            format: format.unwrap_or(LogFormat::Auto),
        }
    }
}

fn template(table: &Table<'_>) -> Option<TemplateConfig> {
    let id = table.required_text("id", "id = \"the template's id in the account\"");
    let Some(data) = table.get("data") else {
        table.missing(
            "data",
            "data.thing1 = \"{{ patient }}\", a line for each field",
        );
        return None;
    };
    let mut fields = BTreeMap::new();
    let mut complete = true;
    for field in data.table()?.entries() {
        match field.text() {
            Some(text) => {
                fields.insert(field.key().to_owned(), text.into_inner().to_owned());
            }
            None => complete = false,
        }
    }
    let id = id?.into_inner().to_owned();
    complete.then_some(TemplateConfig { id, data: fields })
}

/// The place of a dotted key below a table; the nearest there is, where it is absent.
fn place(table: &Table<'_>, path: &str) -> std::ops::Range<usize> {
    for entry in table.entries() {
        // A key may itself have dots in it.
        let Some(rest) = path.strip_prefix(entry.key()) else {
            continue;
        };
        match rest.strip_prefix('.') {
            _ if rest.is_empty() => return entry.place(),
            Some(rest) if entry.is_table() => {
                return entry
                    .table()
                    .map_or(entry.place(), |table| place(&table, rest));
            }
            _ => {}
        }
    }
    table.span()
}

/// A path that is not blank.
fn path_text<'a>(table: &Table<'a>, key: &str) -> Option<&'a str> {
    let value = table.get(key)?;
    let text = value.text()?.into_inner();
    if text.trim().is_empty() {
        value.error(format!("`{key}` is empty"));
        return None;
    }
    Some(text)
}

/// A text that is one of a few words.
pub(super) fn one_of<T: Copy>(value: &Value<'_>, words: &[(&str, T)]) -> Option<T> {
    let text = value.text()?.into_inner();
    let found = words.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let known: Vec<String> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        value.error_with_help(
            format!("`{}` cannot be \"{text}\"", value.key()),
            format!("write one of {}", known.join(", ")),
        );
    }
    found.map(|(_, meaning)| *meaning)
}

/// A text with a grammar of its own.
fn parsed<T>(value: &Value<'_>, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<T> {
    let problem = match parse(value.text()?.get_ref()) {
        Ok(meaning) => return Some(meaning),
        Err(problem) => problem,
    };
    match problem.help {
        Some(help) => {
            value.error_with_help(problem.message, format!("write: {} = {help}", value.key()));
        }
        None => value.error(problem.message),
    }
    None
}

fn within<T: PartialOrd>(
    value: &Value<'_>,
    given: T,
    range: &RangeInclusive<T>,
    words: &str,
) -> Option<T> {
    if range.contains(&given) {
        return Some(given);
    }
    value.error(format!(
        "`{}` must be {words}, not {}",
        value.key(),
        value.written()
    ));
    None
}
