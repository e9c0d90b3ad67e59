//! Whether the account can send: reachability, credentials, allow-list, templates.

use super::Patient;
use super::finding::{Finding, Report, quoted};
use super::time;
use crate::daemon::config::{Channel, WeChat as Account};
use crate::engine::DIGEST;
use crate::messaging::wechat::{AccountError, AccountTemplate, Settings, errcode};
use crate::messaging::{Detail, Hint, MessageKind, Verdict, WeChat};
use crate::plan::Language;
use reqwest::Url;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// How long a look for the reason of no connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Which answers of the API are about the machine's address.
const ALLOW_LIST: [i64; 3] = [40164, 45035, 61004];

pub async fn examine(patient: &Patient<'_>, report: &mut Report) {
    const CHECK: &str = "api:credentials";
    let Channel::WeChat(account) = &patient.config.messaging.channel else {
        return;
    };
    let (Ok(Some(secret)), Ok(ca_pem)) = (patient.config.secret(), patient.config.ca_pem()) else {
        return report.add(Finding::skipped(
            CHECK,
            "the API is not asked without the secret and the certificates",
        ));
    };
    let settings = Settings {
        api_base: account.api_base.clone(),
        appid: account.appid.clone(),
        secret,
        ca_pem,
        templates: account.templates.clone(),
        timeout: patient.config.messaging.timeout,
        concurrency: 1,
        observer: Arc::new(()),
    };
    let channel = match WeChat::new(&settings) {
        Ok(channel) => channel,
        Err(error) => {
            return report.add(
                Finding::fail("api:reachable", error.to_string())
                    .why("No connection to the API can be made")
                    .remedy("apt-get install ca-certificates; or correct wechat.ca_file"),
            );
        }
    };
    let said = channel.account(patient.now).await;
    if let Some(clock) = said.clock {
        report.add(time::against(clock, jiff::Timestamp::now()));
    }
    match said.templates {
        Ok(templates) => {
            let base = &account.api_base;
            report.add(Finding::ok("api:reachable", format!("{base} answers")));
            report.add(Finding::ok(CHECK, "a token is given"));
            judge_templates(patient, account, &templates, report);
        }
        Err(AccountError::Token(verdict)) => report.add(refused(account, &verdict, false)),
        Err(AccountError::List(verdict)) => report.add(refused(account, &verdict, true)),
    }
}

/// Why the API did not say what it was asked, and what to do about it.
fn refused(account: &Account, verdict: &Verdict, had_token: bool) -> Finding {
    let what = match verdict.hint {
        Some(Hint::Ip(ip)) => format!("{}: {ip}", verdict.detail),
        _ => verdict.detail.to_string(),
    };
    let what = match verdict.rid {
        Some(rid) => format!("{what} (rid {rid})"),
        None => what,
    };
    let nobody = "Nobody can be sent to";
    let Some(code) = verdict.errcode else {
        let why = match verdict.detail {
            Detail::NoConnection => reason(&account.api_base),
            _ => nobody.to_owned(),
        };
        return Finding::fail("api:reachable", what)
            .why(why)
            .remedy(format!(
                "curl -sv {}/cgi-bin/stable_token",
                account.api_base
            ));
    };
    let secret = quoted(account.secret_path());
    let console = "in the account's console, 设置与开发 → 基本配置";
    let (check, why, remedy) = match code {
        _ if ALLOW_LIST.contains(&code) => (
            "api:allow-list",
            "The account takes requests only from addresses that its console lists".to_owned(),
            match verdict.hint {
                Some(Hint::Ip(ip)) => format!("{console} → IP白名单, add {ip}"),
                _ => format!("{console} → IP白名单, add this machine's public address"),
            },
        ),
        89_501..=89_506 => (
            "api:allow-list",
            "WeChat waits for the administrator's word on this machine's address".to_owned(),
            "the account's administrator confirms it in WeChat; or: ".to_owned()
                + console
                + " → IP白名单",
        ),
        40013 | 41002 => (
            "api:credentials",
            nobody.to_owned(),
            format!(
                "compare [wechat] appid (now {}) with the AppID {console}",
                account.appid
            ),
        ),
        40001 | 40125 | 41004 if !had_token => (
            "api:credentials",
            nobody.to_owned(),
            format!(
                "write the AppSecret into its file again: install -m 600 /dev/stdin {secret}; \
                 where nobody has it any more, reset it {console}"
            ),
        ),
        40001 | 40014 | 42001 => (
            "api:credentials",
            "Tokens are given and refused: another program takes them away".to_owned(),
            "find what else uses this account's AppSecret with /cgi-bin/token or force_refresh, \
             and stop it"
                .to_owned(),
        ),
        40243 => (
            "api:credentials",
            nobody.to_owned(),
            format!("unfreeze the AppSecret {console}"),
        ),
        48001 | 48004 | 49001 => (
            "api:permission",
            "The account may not do what reminders need: a verified service account (服务号) may"
                .to_owned(),
            "in the account's console, 设置与开发 → 接口权限, look at 模板消息".to_owned(),
        ),
        -1 | 45009 | 45011 => (
            "api:reachable",
            "The API has no time at present; the daemon waits for it by itself".to_owned(),
            "run this again in some minutes".to_owned(),
        ),
        _ => (
            "api:credentials",
            errcode::sentence(code).to_owned(),
            "look the return code up in WeChat's documentation (全局返回码)".to_owned(),
        ),
    };
    Finding::fail(check, what).why(why).remedy(remedy)
}

/// What no connection comes from: the name, the way, or the encryption.
fn reason(base: &str) -> String {
    let Ok(url) = Url::parse(base) else {
        return "It is no address".to_owned();
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<_> = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => return format!("The name {host} cannot be resolved: {error}"),
    };
    let mut last = format!("The name {host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(_) if url.scheme() == "https" => {
                return format!(
                    "{address} can be connected to, and TLS fails: is its certificate trusted \
                     (wechat.ca_file), and is something in between?"
                );
            }
            Ok(_) => return format!("{address} can be connected to now: try again"),
            Err(error) => last = format!("{address} cannot be connected to: {error}"),
        }
    }
    last
}

fn judge_templates(
    patient: &Patient<'_>,
    account: &Account,
    templates: &[AccountTemplate],
    report: &mut Report,
) {
    for (kind, id, fields) in account.templates.wanted() {
        report.add(template(kind, id, &fields, templates));
    }
    let digest = staff_told_of_the_day(patient);
    let has = |kind| account.templates.wanted().any(|(there, ..)| there == kind);
    let staff = &patient.config.talk.staff;
    if staff.iter().any(|member| member.wechat.is_some()) && !has(MessageKind::Alert) {
        let language = patient.config.clinic.defaults.language;
        let example = match language {
            Language::ZhCn => "thing1 = \"{{ patient }}\", thing2 = \"{{ text }}\"",
            Language::En => "thing1 = \"{{ patient }}\"",
        };
        report.add(
            Finding::fail("templates:alert", "there is no [wechat.templates.alert]")
                .why("Staff are to be alarmed over WeChat, and no template can carry an alarm")
                .remedy(format!(
                    "add [wechat.templates.alert] with id and data: {example}"
                )),
        );
    }
    if digest && !has(MessageKind::Notice) {
        report.add(
            Finding::warn("templates:notice", "there is no [wechat.templates.notice]")
                .why("Staff are to be told of the day before, and no template can carry the digest")
                .remedy(
                    "add [wechat.templates.notice] with id and data, or name the alerts of \
                     [[staff]] without \"digest\"",
                ),
        );
    }
}

/// Whether somebody of the staff is to be told of the day before over WeChat.
fn staff_told_of_the_day(patient: &Patient<'_>) -> bool {
    patient.config.talk.staff.iter().any(|member| {
        let wants = member.member.alerts.iter().any(|it| it == DIGEST);
        member.wechat.is_some() && wants
    })
}

/// One template of the configuration against the account's.
fn template(
    kind: MessageKind,
    id: &str,
    filled: &[&str],
    templates: &[AccountTemplate],
) -> Finding {
    let kind = kind.name();
    let check = format!("templates:{kind}");
    let Some(there) = templates.iter().find(|template| template.id == id) else {
        let mut fitting = templates.iter().filter(|template| {
            let mut fields: Vec<&str> = template.fields.iter().map(String::as_str).collect();
            fields.sort_unstable();
            fields == filled
        });
        let remedy = match (fitting.next(), templates.is_empty()) {
            (Some(fitting), _) => format!(
                "write [wechat.templates.{kind}] id = \"{}\" ({}), whose fields are the same",
                fitting.id, fitting.title
            ),
            (None, true) => {
                "add a template in the account's console, 广告与服务 → 模板消息".to_owned()
            }
            (None, false) => {
                let all: Vec<String> = templates
                    .iter()
                    .map(|it| format!("{} ({})", it.id, it.title))
                    .collect();
                format!(
                    "write one of the account's under [wechat.templates.{kind}]: {}",
                    all.join(", ")
                )
            }
        };
        return Finding::fail(check, format!("the account has no template {id}"))
            .why("Messages of this kind are refused (40037)")
            .remedy(remedy);
    };
    let empty: Vec<&str> = there
        .fields
        .iter()
        .map(String::as_str)
        .filter(|field| !filled.contains(field))
        .collect();
    let lost: Vec<&str> = filled
        .iter()
        .copied()
        .filter(|field| !there.fields.iter().any(|known| known == field))
        .collect();
    if !empty.is_empty() {
        let fields = empty.join(", ");
        return Finding::fail(check, format!("nothing is written into its field {fields}"))
            .why("A message with an empty field is refused (47003)")
            .remedy(format!(
                "add to [wechat.templates.{kind}.data]: {} = \"…\"",
                empty[0]
            ));
    }
    if !lost.is_empty() {
        let fields = lost.join(", ");
        return Finding::fail(
            check,
            format!("the account's template has no field {fields}"),
        )
        .why("WeChat leaves it out without a word: patients never see what stands there")
        .remedy(format!(
            "put what it says into {} and remove it from [wechat.templates.{kind}.data]",
            there.fields.join(" or ")
        ));
    }
    Finding::ok(check, format!("{} has all fields", there.title))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn account(templates: &[(&str, &[&str])]) -> Vec<AccountTemplate> {
        let template = |(id, fields): &(&str, &[&str])| AccountTemplate {
            id: (*id).to_owned(),
            title: "用药提醒".to_owned(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        templates.iter().map(template).collect()
    }

    #[test]
    fn a_template_must_be_there_with_exactly_the_fields_that_are_filled() {
        let of = |id, filled: &[&str], there: &[(&str, &[&str])]| {
            template(MessageKind::Dose, id, filled, &account(there))
        };
        let good = of("T", &["thing1", "time2"], &[("T", &["time2", "thing1"])]);
        assert_eq!(good.status, Status::Ok, "{good:?}");
        let gone = of("T", &["thing1"], &[("U", &["thing1"])]);
        assert_eq!(gone.status, Status::Fail);
        assert!(gone.remedy.contains("id = \"U\""), "{gone:?}");
        let other = of("T", &["thing1"], &[("U", &["thing9"])]);
        assert!(other.remedy.contains("U (用药提醒)"), "{other:?}");
        let none = of("T", &["thing1"], &[]);
        assert!(none.remedy.contains("模板消息"), "{none:?}");
        let empty = of("T", &["thing1"], &[("T", &["thing1", "phrase5"])]);
        assert!(
            empty.what.contains("phrase5") && empty.why.contains("47003"),
            "{empty:?}"
        );
        let lost = of("T", &["thing1", "thing9"], &[("T", &["thing1"])]);
        assert!(
            lost.what.contains("thing9") && lost.status == Status::Fail,
            "{lost:?}"
        );
    }
}
